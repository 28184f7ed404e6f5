#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyflow::text {

/// The precompiled normalisation of a sentencepiece model: a double-array trie from strings to strings.
/// Layout: uint32 bytes of the trie, the trie's uint32 units, the replacements, each ended by NUL.
/// source sentencepiece@0.1.97:src/normalizer.cc DecodePrecompiledCharsMap; darts-clone's units
class Charsmap {
 public:
  /// Checks that no lookup can leave the table. Throws Error::config, `where` in front.
  Charsmap(std::string_view blob, const std::string& where);

  /// The replacement of the shortest entry that `text` starts with. Shortest, as the tokenizers library has it, where
  /// sentencepiece itself takes the longest.
  std::optional<std::string_view> shortest(std::string_view text) const;

  /// The longest entry that `text` starts with: its length, 0 if there is none, and its replacement.
  std::pair<size_t, std::string_view> longest(std::string_view text) const;

 private:
  /// Calls found(length, replacement) for each entry, the shortest first, until it returns false.
  template <class Found>
  void walk(std::string_view text, Found found) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace keyflow::text
