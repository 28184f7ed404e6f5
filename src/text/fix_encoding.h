#pragma once
#include <cstdint>
#include <string>

namespace keyflow::text {

/// The characters that repeated passes over a text may still touch. Nested misreadings and entities are undone one
/// layer a pass; text made to have thousands of layers would take hours.
class Budget {
 public:
  explicit Budget(int64_t characters) : left_(characters) {}
  /// throws Error::usage when it is used up
  void spend(size_t characters);

 private:
  int64_t left_;
};

/// Undoes UTF-8 that was decoded with a single-byte code page (mojibake), as often as it happened.
/// source ftfy@6.3.1:ftfy/__init__.py fix_encoding
std::u32string fix_encoding(std::u32string text, Budget& budget);

/// Control characters 80..9F made what Windows-1252 has at these bytes.
std::u32string fix_c1_controls(std::u32string text);

}  // namespace keyflow::text
