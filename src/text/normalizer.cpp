#include "text/normalizer.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "text/base64.h"
#include "text/charsmap.h"
#include "text/unicode.h"

namespace keyflow::text {
namespace {

using nlohmann::json;
using Form = std::u32string (*)(std::u32string_view);

void append(Glyphs& out, std::u32string_view text, uint32_t at) {
  for (const char32_t c : text) out.push_back({c, at});
}

/// True if `c` may become one with what stands before it, whose own form is known.
bool joins(const Glyphs& before, char32_t c, Form form) {
  if (before.empty() || c < 0x80) return false;
  if (combining_class(c) != 0) return true;
  const std::u32string piece = characters_of(before);
  return form(piece + c) != form(piece) + form({&c, 1});
}

/// The form of glyphs that belong together. Where their number stays, so do their places.
void append_form(Glyphs& out, const Glyphs& piece, Form form) {
  const std::u32string text = form(characters_of(piece));
  for (size_t i = 0; i < text.size(); ++i) {
    out.push_back({text[i], text.size() == piece.size() ? piece[i].at : piece.front().at});
  }
}

/// Applies a normal form piece by piece, so that every glyph keeps its place in the prompt.
Normalizer normal_form(Form form) {
  return [form](Glyphs glyphs) {
    const std::u32string text = characters_of(glyphs);
    if (form(text) == text) return glyphs;
    Glyphs out, piece;
    for (const auto& glyph : glyphs) {
      if (!joins(piece, glyph.c, form)) {
        append_form(out, piece, form);
        piece.clear();
      }
      piece.push_back(glyph);
    }
    append_form(out, piece, form);
    return out;
  };
}

Glyphs lowercase(Glyphs glyphs) {
  Glyphs out;
  for (const auto& [c, at] : glyphs) append(out, lower_case(c), at);
  return out;
}

/// Each grapheme of less than six bytes is looked up as a whole, where an entry for its beginning stands for all of it;
/// longer ones character by character.
/// source tokenizers@0.23: tokenizers/src/normalizers/precompiled.rs; spm_precompiled@0.1.4:src/lib.rs
class Precompiled {
 public:
  explicit Precompiled(std::shared_ptr<const Charsmap> map) : map_(std::move(map)) {}

  Glyphs operator()(Glyphs glyphs) const {
    constexpr size_t kShortGrapheme = 6;
    Glyphs out;
    int32_t state = 0;
    for (size_t begin = 0, end = 0; begin < glyphs.size(); begin = end) {
      for (end = begin + 1; end < glyphs.size(); ++end) {
        if (grapheme_break(glyphs[end - 1].c, glyphs[end].c, state)) break;
      }
      const std::string grapheme = bytes_of(glyphs, begin, end);
      if (grapheme.size() < kShortGrapheme && replace(grapheme, glyphs[begin].at, out)) continue;
      for (size_t i = begin; i < end; ++i) {
        if (!replace(bytes_of(glyphs, i, i + 1), glyphs[i].at, out)) out.push_back(glyphs[i]);
      }
    }
    // What is deleted at the front counts as part of the first character left: a prefix still goes before it.
    if (!out.empty()) out.front().at = glyphs.front().at;
    return out;
  }

 private:
  static std::string bytes_of(const Glyphs& glyphs, size_t begin, size_t end) {
    std::string bytes;
    for (size_t i = begin; i < end; ++i) append_utf8(bytes, glyphs[i].c);
    return bytes;
  }
  bool replace(const std::string& bytes, uint32_t at, Glyphs& out) const {
    const auto found = map_->shortest(bytes);
    if (found) append(out, decode_utf8(*found), at);
    return found.has_value();
  }
  std::shared_ptr<const Charsmap> map_;
};

/// Runs of at least `least` characters that `is_member` made `content`.
Normalizer replace_runs(bool (*is_member)(char32_t), size_t least, std::u32string content) {
  return [=](Glyphs glyphs) {
    Glyphs out;
    for (size_t begin = 0, end = 0; begin < glyphs.size(); begin = end) {
      end = begin;
      while (end < glyphs.size() && is_member(glyphs[end].c)) ++end;
      const bool replaced = end - begin >= least;
      if (end == begin) ++end;
      if (replaced) {
        append(out, content, glyphs[begin].at);
      } else {
        out.insert(out.end(), glyphs.begin() + static_cast<int64_t>(begin), glyphs.begin() + static_cast<int64_t>(end));
      }
    }
    return out;
  };
}

bool is_ascii_space(char32_t c) { return c == U' '; }

Normalizer read_replace(const json& object, const JsonPlace& place) {
  const json& pattern = object_member(object, "pattern", place);
  std::u32string content = decode_utf8(string_member(object, "content", place));
  const std::string regex = string_member(pattern, "Regex", place / "pattern", "");
  const std::string literal = string_member(pattern, "String", place / "pattern", "");
  if (regex == "\\s+") return replace_runs(is_white_space, 1, std::move(content));
  if (regex == " {2,}") return replace_runs(is_ascii_space, 2, std::move(content));
  require(regex.empty() && literal == " ", ErrorKind::unsupported, place.text(), ": Replace of \"",
          printable(regex.empty() ? literal : regex),
          "\"; supported are the regular expressions \"\\s+\" and \" {2,}\"");
  return [content](Glyphs glyphs) {
    Glyphs out;
    for (const auto& [c, at] : glyphs) append(out, c == U' ' ? content : std::u32string{c}, at);
    return out;
  };
}

Normalizer read_strip(const json& object, const JsonPlace& place) {
  const bool left = bool_member(object, "strip_left", place, false);
  const bool right = bool_member(object, "strip_right", place, false);
  return [left, right](Glyphs glyphs) {
    const auto keeps = [](const Glyph& glyph) { return !is_white_space(glyph.c); };
    if (right) glyphs.erase(std::find_if(glyphs.rbegin(), glyphs.rend(), keeps).base(), glyphs.end());
    if (left) glyphs.erase(glyphs.begin(), std::find_if(glyphs.begin(), glyphs.end(), keeps));
    return glyphs;
  };
}

Normalizer in_turn(std::vector<Normalizer> steps) {
  return [steps = std::move(steps)](Glyphs glyphs) {
    for (const auto& step : steps) glyphs = step(std::move(glyphs));
    return glyphs;
  };
}

}  // namespace

Normalizer read_normalizer(const json& object, const JsonPlace& place) {
  if (object.is_null()) return [](Glyphs glyphs) { return glyphs; };
  const std::string type = string_member(object, "type", place);
  if (type == "Sequence") {
    std::vector<Normalizer> steps;
    const json& list = array_member(object, "normalizers", place);
    for (size_t i = 0; i < list.size(); ++i) steps.push_back(read_normalizer(list[i], place / std::to_string(i)));
    return in_turn(std::move(steps));
  }
  if (type == "Precompiled") {
    const JsonPlace map = place / "precompiled_charsmap";
    const std::string blob = decode_base64(string_member(object, "precompiled_charsmap", place), map.text());
    return Precompiled(std::make_shared<const Charsmap>(blob, map.text()));
  }
  if (type == "NFC") return normal_form(nfc);
  if (type == "NFKC") return normal_form(nfkc);
  if (type == "Lowercase") return lowercase;
  if (type == "Replace") return read_replace(object, place);
  if (type == "Strip") return read_strip(object, place);
  fail(ErrorKind::unsupported, place.text(), ": normalizer \"", printable(type),
       "\"; supported are Sequence, Precompiled, NFC, NFKC, Lowercase, Replace and Strip");
}

Normalizer clip_normalizer() { return in_turn({normal_form(nfc), replace_runs(is_white_space, 1, U" "), lowercase}); }

}  // namespace keyflow::text
