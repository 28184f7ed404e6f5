#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "text/glyphs.h"
#include "text/json_fields.h"

namespace keyflow::text {

/// A token that is looked for in the text itself, before the model sees it.
struct AddedToken {
  std::string content;
  int64_t id = 0;
  bool lstrip = false, rstrip = false;  ///< takes the white space beside it along
  bool single_word = false;             ///< only where no word character touches it
  bool normalized = false;              ///< looked for after normalisation, not before
  int64_t vectors = 1;                  ///< ids it stands for, `id` the first of them
};

/// One entry of "added_tokens" (tokenizer.json) or "added_tokens_decoder" (tokenizer_config.json).
AddedToken read_added_token(const nlohmann::json& json, int64_t id, const JsonPlace& place);

/// Finds added tokens in texts, the leftmost first and the longest of those that begin there.
/// source tokenizers@0.23: tokenizers/src/tokenizer/added_vocabulary.rs
class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  /// A stretch of plain text, or a token that stands in the text.
  struct Span {
    Glyphs glyphs;
    const AddedToken* token = nullptr;
  };
  /// The text as spans; only tokens with this flag. Pointers are into this object.
  std::vector<Span> split(const Glyphs& text, bool normalized) const;

  const std::vector<AddedToken>& all() const { return tokens_; }
  /// nullptr if there is none
  const AddedToken* find(const std::string& content) const;

 private:
  const AddedToken* longest_at(const Glyphs& text, size_t at, bool normalized) const;
  std::vector<AddedToken> tokens_;
  std::map<char32_t, std::vector<std::pair<std::u32string, size_t>>> by_first_;
};

}  // namespace keyflow::text
