#include "text/html.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "text/unicode.h"
#include "text/utf8.h"

namespace keyflow::text {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Entity {
  std::u32string value;
  bool bare = false;  // known without ";" too
};

const std::unordered_map<std::string_view, Entity>& entities() {
  static const auto table = [] {
    std::unordered_map<std::string_view, Entity> map;
    for (size_t at = 0; at < kHtmlEntities.size();) {
      const size_t colon = kHtmlEntities.find(':', at), end = kHtmlEntities.find(' ', colon);
      std::string_view name = kHtmlEntities.substr(at, colon - at);
      Entity entity;
      if (name.ends_with('!')) {
        entity.bare = true;
        name.remove_suffix(1);
      }
      const char* last = kHtmlEntities.data() + end;
      for (const char* p = kHtmlEntities.data() + colon + 1; p < last; ++p) {
        uint32_t value = 0;
        p = std::from_chars(p, last, value, 16).ptr;
        entity.value.push_back(value);
      }
      map.emplace(name, std::move(entity));
      at = end + 1;
    }
    return map;
  }();
  return table;
}

const Entity* find_entity(std::u32string_view name) {
  const auto found = entities().find(encode_utf8(name));
  return found == entities().end() ? nullptr : &found->second;
}

bool is_digit(char32_t c) { return c >= U'0' && c <= U'9'; }
bool is_hex(char32_t c) { return is_digit(c) || (c >= U'a' && c <= U'f') || (c >= U'A' && c <= U'F'); }
bool is_ascii_letter(char32_t c) { return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z'); }

/// Windows-1252 at 80..9F, as the standard reads numeric references there; 0 leaves the character alone.
constexpr std::u32string_view kWindows =
    U"\u20AC\u0081\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\u008D\u017D\u008F"
    U"\u0090\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\u009D\u017E\u0178";

/// What a numeric reference stands for; "" for code points that are dropped.
std::u32string character(uint32_t number) {
  if (number == 0 || (number >= 0xD800 && number <= 0xDFFF) || number > 0x10FFFF) return {kReplacement};
  if (number >= 0x80 && number <= 0x9F) return {kWindows[number - 0x80]};
  const bool control = (number < 0x20 && number != 9 && number != 10 && number != 12 && number != 13) || number == 0x7F;
  const bool no_character = (number >= 0xFDD0 && number <= 0xFDEF) || (number & 0xFFFE) == 0xFFFE;
  if (control || no_character) return {};
  return {static_cast<char32_t>(number)};
}

/// A match at text[at] == '&': how much of the text it covers, and what replaces it. Length 0: no reference.
struct Match {
  size_t length = 0;
  std::u32string value;
};

Match numeric_reference(std::u32string_view rest) {
  const bool hex = rest.size() > 2 && (rest[2] == U'x' || rest[2] == U'X');
  const size_t first = hex ? 3 : 2;
  size_t end = first;
  uint32_t number = 0;
  for (; end < rest.size() && (hex ? is_hex(rest[end]) : is_digit(rest[end])); ++end) {
    const uint32_t digit = is_digit(rest[end]) ? rest[end] - U'0' : (rest[end] | 0x20) - U'a' + 10;
    number = std::min<uint32_t>(number * (hex ? 16 : 10) + digit, 0x110000);
  }
  if (end == first) return {};
  if (end < rest.size() && rest[end] == U';') ++end;
  return {end, character(number)};
}

Match named_reference(std::u32string_view rest) {
  constexpr size_t kLongestName = 32;
  size_t end = 1;
  while (end < rest.size() && end <= kLongestName && std::u32string_view(U"\t\n\f <&#;").find(rest[end]) == rest.npos)
    ++end;
  const std::u32string_view name = rest.substr(1, end - 1);
  if (name.empty()) return {};
  const bool closed = end < rest.size() && rest[end] == U';';
  const Entity* whole = find_entity(name);
  if (whole && (closed || whole->bare)) return {end + (closed ? 1 : 0), whole->value};
  for (size_t length = name.size(); length >= 2; --length) {
    const Entity* entity = find_entity(name.substr(0, length));
    if (entity && entity->bare) return {1 + length, entity->value};
  }
  return {};
}

/// The upper case of an entity whose upper-cased name means nothing to browsers, not even its beginning.
std::u32string shouted(std::u32string_view name, std::u32string_view reference) {
  std::u32string lower;
  for (const char32_t c : name) {
    if (c >= U'a' && c <= U'z') return {};
    lower.push_back(c >= U'A' && c <= U'Z' ? c + 0x20 : c);
  }
  const Entity* entity = find_entity(lower);
  if (!entity || named_reference(reference).length != 0) return {};
  std::u32string upper;
  for (const char32_t c : entity->value) upper += upper_case(c);
  return upper;
}

Match strict_reference(std::u32string_view rest) {
  constexpr size_t kLongestName = 24;
  const bool numeric = rest.size() > 1 && rest[1] == U'#';
  const size_t first = numeric ? 2 : 1;
  size_t end = first;
  while (end < rest.size() && end - first < kLongestName && (is_digit(rest[end]) || is_ascii_letter(rest[end]))) ++end;
  if (end == first || end == rest.size() || rest[end] != U';') return {};
  if (numeric) {
    // A reference that swallows less than everything up to its ";" is left alone, and so is that of ";" itself.
    Match match = numeric_reference(rest);
    return match.length == end + 1 && match.value != U";" ? match : Match{};
  }
  const std::u32string_view name = rest.substr(1, end - 1);
  if (const Entity* entity = find_entity(name)) return {end + 1, entity->value};
  std::u32string upper = shouted(name, rest.substr(0, end + 1));
  return upper.empty() ? Match{} : Match{end + 1, std::move(upper)};
}

template <class Find>
std::u32string replace_references(std::u32string_view text, Find find) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t start = text.find(U'&', i);
    out += text.substr(i, start - i);
    if (start == text.npos) break;
    const Match match = find(text.substr(start));
    out += match.length ? std::u32string_view(match.value) : text.substr(start, 1);
    i = start + std::max<size_t>(match.length, 1);
  }
  return out;
}

}  // namespace

std::u32string html_unescape(std::u32string_view text) {
  return replace_references(text, [](std::u32string_view rest) {
    return rest.size() > 1 && rest[1] == U'#' ? numeric_reference(rest) : named_reference(rest);
  });
}

std::u32string html_unescape_strict(std::u32string_view text) { return replace_references(text, strict_reference); }

}  // namespace keyflow::text
