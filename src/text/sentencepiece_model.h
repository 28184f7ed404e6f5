#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalizer.h"

namespace keyflow::text {

/// What a sentencepiece model file holds, as far as it decides the ids of a text. Defaults are those of the format.
struct SentencePieceModel {
  enum class Type { normal = 1, unknown, control, user_defined, unused, byte };
  struct Piece {
    std::string text;
    float score = 0;
    Type type = Type::normal;
  };
  std::vector<Piece> pieces;
  bool byte_fallback = false;
  std::string unknown_piece = "<unk>", begin_piece = "<s>", end_piece = "</s>", pad_piece = "<pad>";
  std::string charsmap;
  bool dummy_prefix = true, remove_extra_spaces = true, escape_spaces = true;
};

/// Reads a model, which must be of the unigram kind, with a trainer and a normaliser section and one unknown piece.
/// throws Error::config naming `where` and the offset, Error::unsupported
/// source sentencepiece@0.2.3:src/sentencepiece_model.proto
SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& where);

/// The model's own normalisation: its map, each time the longest entry; runs of spaces made one, none at the ends; a
/// space in front; spaces made "▁". User-defined pieces pass as they are.
/// source sentencepiece@0.2.3:src/normalizer.cc Normalize
Normalizer sentencepiece_normalizer(const SentencePieceModel& model, const std::string& where);

}  // namespace keyflow::text
