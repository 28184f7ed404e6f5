#include "text/fix_encoding.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "text/code_pages.h"
#include "text/misread_bytes.h"
#include "text/mojibake.h"
#include "text/utf8.h"

namespace keyflow::text {
namespace {

/// The text as it was before somebody decoded its UTF-8 with this code page, if it may have been so.
std::optional<std::u32string> reread(const CodePage& page, std::string bytes) {
  // In MacRoman an en dash and a space look like such a sequence.
  if (page.name != "macroman") bytes = restore_no_break_spaces(std::move(bytes));
  if (page.sloppy) bytes = replace_lost_bytes(bytes);
  if (bytes.find_first_of("\xED\xC0") != bytes.npos) return decode_utf8_variants(bytes);
  if (first_invalid_byte(bytes) != bytes.npos) return std::nullopt;
  return decode_utf8(bytes);
}

/// Repairs stretches of a text that as a whole has no single wrong code page.
std::u32string fix_stretches(const std::u32string& text, Budget& budget) {
  std::u32string out;
  size_t done = 0;
  for (const auto& [begin, end] : garbled_stretches(text)) {
    std::u32string part = text.substr(begin, end - begin);
    out.append(text, done, begin - done);
    out += part.size() < text.size() && looks_garbled(part) ? fix_encoding(std::move(part), budget) : part;
    done = end;
  }
  return out.append(text, done);
}

std::u32string fix_once(const std::u32string& text, Budget& budget) {
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; })) return text;
  budget.spend(text.size());
  if (!looks_garbled(text)) return text;
  for (const CodePage& page : code_pages()) {
    auto bytes = page.encode(text);
    if (!bytes) continue;
    if (auto fixed = reread(page, std::move(*bytes))) return *fixed;
  }
  std::u32string fixed = fix_stretches(text, budget);
  if (fixed != text) return fixed;
  // Windows-1252 taken for Latin-1, as a whole or in places. The source tells the two apart only to explain itself.
  return fix_c1_controls(text);
}

}  // namespace

void Budget::spend(size_t characters) {
  left_ -= static_cast<int64_t>(characters);
  require(left_ >= 0, ErrorKind::usage,
          "prompt: entities or misread characters are nested too deeply to be undone; hint: give it as plain text");
}

std::u32string fix_encoding(std::u32string text, Budget& budget) {
  while (true) {
    std::u32string fixed = fix_once(text, budget);
    if (fixed == text) return text;
    text = std::move(fixed);
  }
}

std::u32string fix_c1_controls(std::u32string text) {
  for (char32_t& c : text) {
    if (c >= 0x80 && c <= 0x9F) c = windows_1252().decode(static_cast<unsigned char>(c));
  }
  return text;
}

}  // namespace keyflow::text
