#include "text/misread_bytes.h"

#include <algorithm>
#include <bitset>
#include <vector>

#include "text/utf8.h"

namespace keyflow::text {
namespace {

using ByteSet = std::bitset<256>;
using Sequence = std::vector<ByteSet>;

constexpr int code(char c) { return static_cast<unsigned char>(c); }

/// "[a-z?][b]": one set of bytes after the other, "-" between two bytes is a range.
Sequence sequence(std::string_view text) {
  Sequence sets;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') {
      sets.emplace_back();
    } else if (text[i] != ']') {
      const bool range = text[i + 1] == '-';
      const int first = code(text[i]), last = range ? code(text[i + 2]) : first;
      for (int byte = first; byte <= last; ++byte) sets.back().set(static_cast<size_t>(byte));
      if (range) i += 2;
    }
  }
  return sets;
}

std::vector<Sequence> sequences(std::initializer_list<std::string_view> texts) {
  std::vector<Sequence> all;
  for (const auto text : texts) all.push_back(sequence(text));
  return all;
}

/// Length of the first alternative that holds at `at`, 0 if none does.
size_t match(const std::vector<Sequence>& alternatives, std::string_view bytes, size_t at) {
  for (const auto& sets : alternatives) {
    if (at + sets.size() > bytes.size()) continue;
    size_t k = 0;
    while (k < sets.size() && sets[k][static_cast<size_t>(code(bytes[at + k]))]) ++k;
    if (k == sets.size()) return k;
  }
  return 0;
}

/// "Ã " as a word of its own is "à" and a space, but not before the Portuguese words that "à" grows together with.
std::string separate_a_grave(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    out.push_back(bytes[i]);
    if (bytes[i] != '\xC3' || i + 1 == bytes.size() || bytes[i + 1] != ' ') continue;
    const std::string_view rest = bytes.substr(i + 2);
    constexpr std::string_view kJoined[] = {" ", "quele", "quela", "quilo", "s "};
    if (std::none_of(std::begin(kJoined), std::end(kJoined), [&](auto word) { return rest.starts_with(word); })) {
      out.push_back('\xA0');
    }
  }
  return out;
}

}  // namespace

std::string restore_no_break_spaces(std::string bytes) {
  // Only sequences that give likely characters, see the source.
  static const auto altered = sequences({
      "[\xC2\xC3\xC5\xCE\xD0\xD9][ ]",
      "[\xE2\xE3][ ][\x80-\x84\x86-\x9F\xA1-\xBF]",
      "[\xE0-\xE3][\x80-\x84\x86-\x9F\xA1-\xBF][ ]",
      "[\xF0][ ][\x80-\xBF][\x80-\xBF]",
      "[\xF0][\x80-\xBF][ ][\x80-\xBF]",
      "[\xF0][\x80-\xBF][\x80-\xBF][ ]",
  });
  bool any = false;
  for (size_t at = 0; at < bytes.size() && !any; ++at) any = match(altered, bytes, at) != 0;
  if (!any) return bytes;
  bytes = separate_a_grave(bytes);
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = match(altered, bytes, at);
    for (size_t k = 0; k < length; ++k) {
      if (bytes[at + k] == ' ') bytes[at + k] = '\xA0';
    }
    at += std::max<size_t>(length, 1);
  }
  return bytes;
}

std::string replace_lost_bytes(std::string_view bytes) {
  static const auto lossy = sequences({
      "[\xC2-\xDF][\x1A]",
      "[\xC2-\xC3][?]",
      "[\xED][\xA0-\xAF][\x1A?][\xED][\xB0-\xBF][\x1A?\x80-\xBF]",
      "[\xED][\xA0-\xAF][\x1A?\x80-\xBF][\xED][\xB0-\xBF][\x1A?]",
      "[\xE0-\xEF][\x1A?][\x1A\x80-\xBF]",
      "[\xE0-\xEF][\x1A\x80-\xBF][\x1A?]",
      "[\xF0-\xF4][\x1A?][\x1A\x80-\xBF][\x1A\x80-\xBF]",
      "[\xF0-\xF4][\x1A\x80-\xBF][\x1A?][\x1A\x80-\xBF]",
      "[\xF0-\xF4][\x1A\x80-\xBF][\x1A\x80-\xBF][\x1A?]",
      "[\x1A]",
  });
  std::string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = match(lossy, bytes, at);
    if (length) {
      out += "\xEF\xBF\xBD";
    } else {
      out.push_back(bytes[at]);
    }
    at += std::max<size_t>(length, 1);
  }
  return out;
}

std::optional<std::u32string> decode_utf8_variants(std::string_view bytes) {
  static const auto surrogates = sequences({"[\xED][\xA0-\xAF][\x80-\xBF][\xED][\xB0-\xBF][\x80-\xBF]"});
  static const auto null = sequences({"[\xC0][\x80]"});
  std::u32string text;
  size_t plain = 0;
  const auto take_plain = [&](size_t end) {
    const std::string_view part = bytes.substr(plain, end - plain);
    if (first_invalid_byte(part) != part.npos) return false;
    text += decode_utf8(part);
    return true;
  };
  for (size_t at = 0; at < bytes.size();) {
    const size_t pair = match(surrogates, bytes, at), length = pair ? pair : match(null, bytes, at);
    if (length == 0) {
      ++at;
      continue;
    }
    if (!take_plain(at)) return std::nullopt;
    const auto bits = [&](size_t k, int mask) { return static_cast<char32_t>(code(bytes[at + k]) & mask); };
    text.push_back(pair ? 0x10000 + (bits(1, 0x0F) << 16 | bits(2, 0x3F) << 10 | bits(4, 0x0F) << 6 | bits(5, 0x3F))
                        : 0);
    at = plain = at + length;
  }
  if (!take_plain(bytes.size())) return std::nullopt;
  return text;
}

}  // namespace keyflow::text
