#include "text/base64.h"

#include <cstdint>

#include "core/error.h"

namespace keyflow::text {
namespace {

int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

std::string decode_base64(std::string_view text, const std::string& where) {
  require(text.size() % 4 == 0, ErrorKind::config, where, ": base64 of ", text.size(),
          " characters; expected a multiple of 4");
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t group = 0;
    for (size_t k = i; k < i + 4; ++k) {
      const int value = k >= text.size() - padding ? 0 : digit(text[k]);
      require(value >= 0, ErrorKind::config, where, ": character ", k, " is not base64");
      group = group << 6 | static_cast<uint32_t>(value);
    }
    for (int shift = 16; shift >= 0; shift -= 8) out.push_back(static_cast<char>(group >> shift & 0xFF));
  }
  for (size_t i = 0; i < padding; ++i) out.pop_back();
  return out;
}

}  // namespace keyflow::text
