#include "text/utf8.h"

namespace keyflow::text {
namespace {

bool continues(std::string_view bytes, size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
  if (i >= bytes.size()) return false;
  const auto byte = static_cast<unsigned char>(bytes[i]);
  return byte >= low && byte <= high;
}

/// The Unicode Standard, table 3-7: the second byte's range depends on the lead.
size_t valid_length(std::string_view bytes, size_t i) {
  const unsigned lead = static_cast<unsigned char>(bytes[i]);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  if (lead < 0xE0) return continues(bytes, i + 1) ? 2 : 0;
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  const size_t length = lead < 0xF0 ? 3 : 4;
  for (size_t k = 1; k < length; ++k) {
    if (!(k == 1 ? continues(bytes, i + 1, low, high) : continues(bytes, i + k))) return 0;
  }
  return length;
}

}  // namespace

size_t first_invalid_byte(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size();) {
    const size_t length = valid_length(bytes, i);
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::u32string decode_utf8(std::string_view bytes) {
  std::u32string text;
  text.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    const size_t length = utf8_length(bytes[i]);
    char32_t c = static_cast<unsigned char>(bytes[i]);
    if (length > 1) c &= 0x7Fu >> length;
    for (size_t k = 1; k < length; ++k) c = c << 6 | (static_cast<unsigned char>(bytes[i + k]) & 0x3F);
    text.push_back(c);
    i += length;
  }
  return text;
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  const auto tail = [&](int shift) { put(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) return put(0xC0 | c >> 6), tail(0);
  if (c < 0x10000) return put(0xE0 | c >> 12), tail(6), tail(0);
  put(0xF0 | c >> 18), tail(12), tail(6), tail(0);
}

std::string encode_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

}  // namespace keyflow::text
