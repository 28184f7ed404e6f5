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

/// A word that stands for learned embeddings (textual inversion): ids from `id` on, one for each vector.
struct LearnedWord {
  std::string text;
  int64_t id = 0;
  int64_t vectors = 1;
};
/// More would not fit a chunk of a prompt.
constexpr int64_t kMostVectors = 75;

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

  /// The same tokenizer, which also knows these words: in any case, and not inside a longer word (unless they begin or
  /// end with a character that is none of a word's, as "<cat>"). The longest that fits is taken; several may mean the
  /// same ids.
  /// throws Error::usage for an id below vocabulary(), no or too many vectors; Error::unsupported but for CLIP
  virtual std::shared_ptr<Tokenizer> with_words(const std::vector<LearnedWord>& words) const = 0;

  /// How many ids the learned word whose first is `id` stands for; 1 for all other ids.
  virtual int64_t vectors(int64_t id) const = 0;

  /// How many of the template's tokens stand before the text; encode("", 0) has all of them.
  virtual size_t tokens_before() const = 0;

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
