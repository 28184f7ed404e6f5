#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace keyflow::text {

/// A single-byte encoding whose lower half is ASCII. "Sloppy" ones keep an unassigned byte as the control character of
/// Latin-1 and have U+FFFD at byte 1A, so that text which lost a byte can still be encoded.
/// source ftfy@6.3.1:ftfy/bad_codecs/sloppy.py
struct CodePage {
  std::string_view name;
  std::u32string_view upper;  ///< the characters of bytes 80..FF; empty for Latin-1
  bool sloppy = false;

  char32_t decode(unsigned char byte) const;
  /// The bytes of the text, or nothing if some character has none.
  std::optional<std::string> encode(std::u32string_view text) const;
};

/// Those that text is most often misread with, in the order to try. The first is Latin-1.
std::span<const CodePage> code_pages();
const CodePage& latin1();
const CodePage& windows_1252();

}  // namespace keyflow::text
