#include "text/clean.h"

#include "core/error.h"
#include "text/fix_text.h"
#include "text/html.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace keyflow::text {
namespace {

/// Runs of white space made one space, none at either end.
std::u32string collapse_spaces(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (!is_python_space(c)) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != U' ') {
      out.push_back(U' ');
    }
  }
  if (!out.empty() && out.back() == U' ') out.pop_back();
  return out;
}

}  // namespace

void require_prompt(std::string_view text) {
  require(text.size() <= kMostPromptBytes, ErrorKind::usage, "prompt: expected at most ", kMostPromptBytes,
          " bytes, found ", text.size());
  const size_t null = text.find('\0');
  require(null == text.npos, ErrorKind::usage, "prompt: byte ", null, ": expected UTF-8 text, found a NUL");
  const size_t bad = first_invalid_byte(text);
  require(bad == text.npos, ErrorKind::usage, "prompt: byte ", bad, ": expected UTF-8, found \"",
          printable(text.substr(std::min(bad, text.size()), 4)), "\"");
}

std::string clean_prompt(std::string_view text) {
  require_prompt(text);
  return encode_utf8(collapse_spaces(html_unescape(html_unescape(fix_text(decode_utf8(text))))));
}

}  // namespace keyflow::text
