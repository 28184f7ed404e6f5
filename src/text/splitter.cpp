#include "text/splitter.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "text/unicode.h"

namespace keyflow::text {
namespace {

using nlohmann::json;

constexpr std::string_view kClipPattern =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

Glyphs slice(const Glyphs& glyphs, size_t begin, size_t end) {
  return {glyphs.begin() + static_cast<int64_t>(begin), glyphs.begin() + static_cast<int64_t>(end)};
}

Splitter on_each(std::function<void(Glyphs, std::vector<Glyphs>&)> split) {
  return [split = std::move(split)](std::vector<Glyphs> parts) {
    std::vector<Glyphs> out;
    for (auto& part : parts) {
      if (!part.empty()) split(std::move(part), out);
    }
    return out;
  };
}

void split_at_white_space(const Glyphs& glyphs, std::vector<Glyphs>& out) {
  for (size_t begin = 0, end = 0; begin < glyphs.size(); begin = end) {
    end = begin + 1;
    if (is_white_space(glyphs[begin].c)) continue;
    while (end < glyphs.size() && !is_white_space(glyphs[end].c)) ++end;
    out.push_back(slice(glyphs, begin, end));
  }
}

/// Spaces become the mark, a mark is put in front, and each mark begins a word.
Splitter read_metaspace(const json& object, const JsonPlace& place) {
  const std::u32string mark = decode_utf8(string_member(object, "replacement", place));
  require(mark.size() == 1, ErrorKind::config, place.text(), ".replacement: expected one character");
  std::string scheme = string_member(object, "prepend_scheme", place, "always");
  if (!bool_member(object, "add_prefix_space", place, true)) scheme = "never";
  require(scheme == "always" || scheme == "first" || scheme == "never", ErrorKind::config, place.text(),
          ".prepend_scheme: expected always, first or never, found \"", printable(scheme), "\"");
  const bool splits = bool_member(object, "split", place, true);
  return on_each([=, space = mark[0]](Glyphs glyphs, std::vector<Glyphs>& out) {
    for (auto& glyph : glyphs) glyph.c = glyph.c == U' ' ? space : glyph.c;
    const bool wanted = scheme == "always" || (scheme == "first" && glyphs[0].at == 0);
    if (wanted && glyphs[0].c != space) glyphs.insert(glyphs.begin(), {space, glyphs[0].at});
    if (!splits) return out.push_back(std::move(glyphs));
    for (size_t begin = 0, end = 0; begin < glyphs.size(); begin = end) {
      end = begin + 1;
      while (end < glyphs.size() && glyphs[end].c != space) ++end;
      out.push_back(slice(glyphs, begin, end));
    }
  });
}

size_t starts_with_any(const Glyphs& glyphs, size_t at, std::initializer_list<std::u32string_view> words) {
  for (const auto word : words) {
    size_t k = 0;
    while (k < word.size() && at + k < glyphs.size() && glyphs[at + k].c == word[k]) ++k;
    if (k == word.size()) return k;
  }
  return 0;
}

size_t contraction(const Glyphs& glyphs, size_t at) {
  return starts_with_any(glyphs, at, {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"});
}

bool is_symbol(char32_t c) { return !is_white_space(c) && !is_letter(c) && !is_number(c); }

size_t run(const Glyphs& glyphs, size_t at, bool (*is_member)(char32_t)) {
  size_t end = at;
  while (end < glyphs.size() && is_member(glyphs[end].c)) ++end;
  return end - at;
}

/// The parts that CLIP's regular expression matches.
void split_clip(const Glyphs& glyphs, std::vector<Glyphs>& out) {
  for (size_t at = 0; at < glyphs.size();) {
    size_t length = starts_with_any(glyphs, at, {U"<|startoftext|>", U"<|endoftext|>"});
    if (!length) length = contraction(glyphs, at);
    if (!length) length = run(glyphs, at, is_letter);
    if (!length) length = is_number(glyphs[at].c);
    if (!length) length = run(glyphs, at, is_symbol);
    if (length) out.push_back(slice(glyphs, at, at + length));
    at += std::max<size_t>(length, 1);
  }
}

/// Divides once more, by the regular expression of GPT-2 (on parts without white space), and spells bytes.
void split_bytes(const Glyphs& glyphs, std::vector<Glyphs>& out) {
  for (size_t at = 0; at < glyphs.size();) {
    size_t length = contraction(glyphs, at);
    if (!length) length = run(glyphs, at, is_letter);
    if (!length) length = run(glyphs, at, is_number);
    if (!length) length = run(glyphs, at, is_symbol);
    Glyphs word;
    for (size_t k = at; k < at + length; ++k) {
      std::string bytes;
      append_utf8(bytes, glyphs[k].c);
      for (const char byte : bytes) word.push_back({byte_character(static_cast<unsigned char>(byte)), glyphs[k].at});
    }
    out.push_back(std::move(word));
    at += length;
  }
}

Splitter in_turn(std::vector<Splitter> steps) {
  return [steps = std::move(steps)](std::vector<Glyphs> parts) {
    for (const auto& step : steps) parts = step(std::move(parts));
    return parts;
  };
}

void require_clip_split(const json& object, const JsonPlace& place) {
  const std::string regex = string_member(object_member(object, "pattern", place), "Regex", place / "pattern", "");
  const bool known = regex == kClipPattern && string_member(object, "behavior", place) == "Removed" &&
                     bool_member(object, "invert", place, false);
  require(known, ErrorKind::unsupported, place.text(), ": Split by \"", printable(regex),
          "\"; supported is that of CLIP");
}

}  // namespace

Splitter read_splitter(const json& object, const JsonPlace& place) {
  if (object.is_null()) return [](std::vector<Glyphs> parts) { return parts; };
  const std::string type = string_member(object, "type", place);
  if (type == "WhitespaceSplit") return on_each(split_at_white_space);
  if (type == "Metaspace") return read_metaspace(object, place);
  require(type == "Sequence", ErrorKind::unsupported, place.text(), ": pre-tokenizer \"", printable(type),
          "\"; supported are Sequence, WhitespaceSplit, Metaspace, and CLIP's Split followed by ByteLevel");
  const json& list = array_member(object, "pretokenizers", place);
  const JsonPlace first = place / "0", second = place / "1";
  if (list.size() == 2 && string_member(list[0], "type", first) == "Split" &&
      string_member(list[1], "type", second) == "ByteLevel") {
    require_clip_split(list[0], first);
    const bool plain =
        !bool_member(list[1], "add_prefix_space", second, true) && bool_member(list[1], "use_regex", second, true);
    require(plain, ErrorKind::unsupported, second.text(), ": ByteLevel; supported is that of CLIP");
    return clip_splitter();
  }
  std::vector<Splitter> steps;
  for (size_t i = 0; i < list.size(); ++i) steps.push_back(read_splitter(list[i], place / std::to_string(i)));
  return in_turn(std::move(steps));
}

Splitter clip_splitter() { return in_turn({on_each(split_clip), on_each(split_bytes)}); }

char32_t byte_character(unsigned char byte) {
  const auto printable = [](unsigned b) { return (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD && b < 0x100); };
  if (printable(byte)) return byte;
  char32_t others = 0;
  for (unsigned b = 0; b < byte; ++b) others += !printable(b);
  return 0x100 + others;
}

}  // namespace keyflow::text
