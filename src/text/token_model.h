#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/glyphs.h"

namespace keyflow::text {

/// One token of a word, and the byte of the prompt where it begins.
struct Token {
  int64_t id;
  std::string piece;
  uint32_t at;
};

/// Divides words into the pieces of a vocabulary.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  /// Appends the tokens of one word, which is not empty.
  virtual void tokenize(const Glyphs& word, std::vector<Token>& out) const = 0;
  virtual std::optional<int64_t> id_of(const std::string& piece) const = 0;
  /// One more than the largest id.
  virtual int64_t size() const = 0;
};

}  // namespace keyflow::text
