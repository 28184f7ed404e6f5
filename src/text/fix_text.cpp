#include "text/fix_text.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "text/fix_encoding.h"
#include "text/html.h"
#include "text/unicode.h"

namespace keyflow::text {
namespace {

constexpr size_t kLongestSegment = 1'000'000;
constexpr int64_t kBudget = 1 << 24;

struct Ligature {
  char32_t joined;
  std::u32string_view letters;
};
constexpr Ligature kLigatures[] = {
    {U'Ĳ', U"IJ"},  {U'ĳ', U"ij"},  {U'ŉ', U"\u02BCn"}, {U'Ǳ', U"DZ"}, {U'ǲ', U"Dz"}, {U'ǳ', U"dz"},
    {U'Ǆ', U"DŽ"},  {U'ǅ', U"Dž"},  {U'ǆ', U"dž"},      {U'Ǉ', U"LJ"}, {U'ǈ', U"Lj"}, {U'ǉ', U"lj"},
    {U'Ǌ', U"NJ"},  {U'ǋ', U"Nj"},  {U'ǌ', U"nj"},      {U'ﬀ', U"ff"}, {U'ﬁ', U"fi"}, {U'ﬂ', U"fl"},
    {U'ﬃ', U"ffi"}, {U'ﬄ', U"ffl"}, {U'ﬅ', U"ſt"},      {U'ﬆ', U"st"},
};

bool is_unwanted_control(char32_t c) {
  return c < 0x09 || c == 0x0B || (c >= 0x0E && c < 0x20) || c == 0x7F || (c >= 0x206A && c < 0x2070) || c == 0xFEFF ||
         (c >= 0xFFF9 && c < 0xFFFD);
}

std::u32string split_ligatures(const std::u32string& text) {
  std::u32string out;
  for (const char32_t c : text) {
    const auto found = c < 0x132 ? std::end(kLigatures)
                                 : std::find_if(std::begin(kLigatures), std::end(kLigatures),
                                                [c](const Ligature& entry) { return entry.joined == c; });
    found == std::end(kLigatures) ? out.push_back(c) : void(out += found->letters);
  }
  return out;
}

std::u32string normal_width(const std::u32string& text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (c == 0x3000) {
      out.push_back(U' ');
    } else if (c > 0xFF00 && c < 0xFFF0) {
      out += nfkc({&c, 1});
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::u32string straight_quotes(std::u32string text) {
  for (char32_t& c : text) {
    if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B)) c = U'\'';
    if (c >= 0x201C && c <= 0x201F) c = U'"';
  }
  return text;
}

std::u32string unix_line_breaks(const std::u32string& text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c == U'\r' && i + 1 < text.size() && text[i + 1] == U'\n') continue;
    out.push_back(c == U'\r' || c == 0x2028 || c == 0x2029 || c == 0x85 ? U'\n' : c);
  }
  return out;
}

std::u32string without_terminal_escapes(const std::u32string& text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t end = i;
    if (text[i] == 0x1B && i + 1 < text.size() && text[i + 1] == U'[') {
      end = i + 2;
      while (end < text.size() && (text[end] == U';' || is_decimal(text[end]))) ++end;
      const char32_t last = end < text.size() ? text[end] | 0x20 : 0;
      if (last < U'a' || last > U'z') end = i;
    }
    if (end == i) out.push_back(text[i]);
    i = end;
  }
  return out;
}

std::u32string fix_segment(std::u32string text, bool entities, Budget& budget) {
  while (true) {
    budget.spend(text.size());
    std::u32string fixed = entities ? html_unescape_strict(text) : text;
    fixed = fix_c1_controls(fix_encoding(std::move(fixed), budget));
    fixed = unix_line_breaks(straight_quotes(normal_width(split_ligatures(fixed))));
    fixed = without_terminal_escapes(fixed);
    std::erase_if(fixed, is_unwanted_control);
    fixed = nfc(fixed);
    if (fixed == text) return text;
    text = std::move(fixed);
  }
}

}  // namespace

std::u32string fix_text(const std::u32string& text) {
  Budget budget(kBudget);
  std::u32string out;
  // A literal "<" says that this is HTML, where entities mean to stay: in its line and all that follow.
  bool entities = true;
  for (size_t begin = 0; begin < text.size();) {
    const size_t line_end = std::min(text.find(U'\n', begin), text.size() - 1) + 1;
    const size_t end = std::min(line_end, begin + kLongestSegment);
    std::u32string segment = text.substr(begin, end - begin);
    entities = entities && segment.find(U'<') == segment.npos;
    out += fix_segment(std::move(segment), entities, budget);
    begin = end;
  }
  return out;
}

}  // namespace keyflow::text
