#pragma once
#include <array>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "text/json_fields.h"
#include "text/token_model.h"

namespace keyflow::text {

/// The division of a word into pieces of the largest summed log probability (Viterbi); a character without a piece
/// costs ten more than the least likely piece, and neighbours of that kind are one unknown token. source
/// sentencepiece@0.2.3:src/unigram_model.cc EncodeOptimized; Kudo 2018 (1804.10959) source tokenizers@0.23:
/// tokenizers/src/models/unigram/model.rs
class Unigram final : public TokenModel {
 public:
  struct Piece {
    std::string text;
    double score;
    bool plain = true;  ///< may be found in a text; control, byte and unused pieces of sentencepiece are not
  };
  /// The type in which scores are summed. It decides between divisions of the same score ("------"): sentencepiece sums
  /// in float, tokenizers in double.
  enum class Sums { in_float, in_double };

  /// The id of a piece is its index. Throws Error::config for a piece that is there twice.
  Unigram(std::vector<Piece> pieces, int64_t unknown, bool byte_fallback, Sums sums, const JsonPlace& place);

  void tokenize(const Glyphs& word, std::vector<Token>& out) const override;
  std::optional<int64_t> id_of(const std::string& piece) const override;
  int64_t size() const override { return static_cast<int64_t>(pieces_.size()); }

 private:
  struct Step {
    int64_t start = -1, id = -1;
  };
  /// For each end of a character, the piece that the best division up to there ends with.
  template <class Real>
  std::vector<Step> best_steps(std::string_view bytes) const;
  void append_unknown(const std::string& bytes, const uint32_t* at, std::vector<Token>& out) const;

  std::vector<Piece> pieces_;
  std::vector<uint32_t> sorted_;  // ids, by the bytes of their pieces
  std::vector<uint32_t> plain_;   // those of them that may be found in a text
  std::array<uint32_t, 257> first_byte_{};
  int64_t unknown_;
  bool byte_fallback_;
  Sums sums_;
  double least_ = 0;
};

/// The "model" of a tokenizer.json of type Unigram.
std::unique_ptr<TokenModel> read_unigram(const nlohmann::json& json, const JsonPlace& place);

}  // namespace keyflow::text
