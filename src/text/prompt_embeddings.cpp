#include <algorithm>

#include "core/error.h"
#include "text/prompt_chunks.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace keyflow::text {
namespace {

constexpr std::u32string_view kMark = U"embedding:";

std::u32string lower(std::string_view text) {
  std::u32string out;
  for (const char32_t c : decode_utf8(text)) out += lower_case(c);
  return out;
}

bool ends_name(char32_t c) {
  return is_python_space(c) || std::u32string_view(U",:()[]<>|").find(c) != std::u32string_view::npos;
}

}  // namespace

void require_known_embeddings(const Prompt& prompt, const std::vector<LearnedWord>& words) {
  std::vector<std::string> known;
  for (const auto& word : words) known.push_back(encode_utf8(lower(word.text)));
  for (const auto& piece : prompt.pieces) {
    const std::u32string text = lower(piece.text);
    for (size_t at = text.find(kMark); at != text.npos; at = text.find(kMark, at + 1)) {
      size_t end = at + kMark.size();
      while (end < text.size() && !ends_name(text[end])) ++end;
      if ((at > 0 && is_word(text[at - 1])) || end == at + kMark.size()) continue;
      // A full stop may be the sentence's.
      const std::string name = encode_utf8(std::u32string_view(text).substr(at, end - at));
      const std::string_view stem = std::string_view(name).substr(0, name.find_last_not_of(".!?;") + 1);
      const bool found = std::any_of(known.begin(), known.end(), [&](const auto& k) { return k == name || k == stem; });
      if (found) continue;
      const std::string closest = nearest(stem, known);
      fail(ErrorKind::usage, "prompt: \"", printable(name), "\": no such embedding is loaded",
           closest.empty() ? "" : "; closest: " + printable(closest), "; hint: --embedding FILE");
    }
  }
}

}  // namespace keyflow::text
