#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/clean.h"

namespace keyflow::text {

/// A prompt as a text encoder takes it.
struct Tokens {
  std::vector<int64_t> ids;
  std::vector<std::string> pieces;  ///< each id as the vocabulary spells it, an unknown one as the text does
  std::string lost;                 ///< the end of the text that the limit cut off, "" if none
};

/// Turns a prompt into the ids of one vocabulary. Holds no state of a call; safe to share between threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// text    UTF-8 without NUL, at most kMostPromptBytes; literal special tokens ("</s>", "<extra_id_0>") stand for
  ///         themselves, as the reference tokenizers have it
  /// limit   the most ids to return, special tokens included (the end token stays the last one); 0 for none
  /// return  ids with the begin and end tokens of the vocabulary's template, no padding
  /// throws Error::usage, naming the byte, for text that is not such
  virtual Tokens encode(std::string_view text, int64_t limit) const = 0;

  /// One more than the largest id that encode() can return.
  virtual int64_t vocabulary() const = 0;
  virtual int64_t pad_id() const = 0;
  /// "sentencepiece", "unigram" (tokenizer.json) or "clip bpe"
  virtual std::string kind() const = 0;
};

/// Opens a sentencepiece model, a tokenizer.json, a folder with either (tokenizer.json first, as the reference does), a
/// CLIP vocabulary folder (vocab.json and merges.txt), or a model folder with one of them in tokenizer/ (diffusers) or
/// google/umt5-xxl (official Wan). Throws Error::config naming file and key, Error::io, Error::unsupported.
std::shared_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& path);

}  // namespace keyflow::text
