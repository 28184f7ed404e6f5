#pragma once
#include <string>
#include <string_view>

namespace keyflow::text {

/// The first byte that belongs to no valid UTF-8 sequence (overlong forms and surrogates are not valid);
/// std::string_view::npos if there is none.
size_t first_invalid_byte(std::string_view bytes);

/// Code points of valid UTF-8; what first_invalid_byte() has passed.
std::u32string decode_utf8(std::string_view bytes);

std::string encode_utf8(std::u32string_view text);
void append_utf8(std::string& out, char32_t c);

/// Length of the sequence that starts with this lead byte of valid UTF-8.
inline size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace keyflow::text
