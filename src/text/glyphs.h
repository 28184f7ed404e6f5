#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/utf8.h"

namespace keyflow::text {

/// A character on its way from the prompt to a token, and the byte of the prompt that it comes from.
struct Glyph {
  char32_t c;
  uint32_t at;
};
using Glyphs = std::vector<Glyph>;

/// One glyph for each character of valid UTF-8.
inline Glyphs glyphs_of(std::string_view text) {
  Glyphs glyphs;
  uint32_t at = 0;
  for (const char32_t c : decode_utf8(text)) {
    glyphs.push_back({c, at});
    at += static_cast<uint32_t>(utf8_length(text[at]));
  }
  return glyphs;
}

inline std::u32string characters_of(const Glyphs& glyphs) {
  std::u32string text;
  for (const auto& glyph : glyphs) text.push_back(glyph.c);
  return text;
}

}  // namespace keyflow::text
