#include "text/prompt_syntax.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "text/clean.h"
#include "text/prompt_marks.h"
#include "text/unicode.h"

namespace keyflow::text {
namespace {

constexpr size_t kDeepest = 100;
constexpr double kLargestWeight = 1e6, kRound = 1.1, kSquare = 1 / 1.1;
constexpr std::u32string_view kBreak = U"BREAK";

bool is_special(char32_t c) { return c == '\\' || c == '(' || c == ')' || c == '[' || c == ']' || c == ':'; }

/// Gathers pieces; brackets multiply the weight of all since they were opened. The products are made in the order of
/// the source, so that weights which are equal there are equal here and their pieces become one.
class PieceReader {
 public:
  explicit PieceReader(const Glyphs& text) : text_(text) {}

  std::vector<PromptPiece> read() {
    while (at_ < text_.size()) step();
    for (const size_t first : round_) multiply(first, kRound);
    for (const size_t first : square_) multiply(first, kSquare);
    return merged();
  }

 private:
  struct Entry {
    std::u32string text;
    double weight = 1;
    bool is_break = false;
  };
  struct Weight {
    double value;
    size_t end;  ///< behind the bracket
  };

  void step() {
    const char32_t c = text_[at_].c;
    if (c == '\\') return escape();
    if (c == '(' || c == '[') return open(c == '(' ? round_ : square_);
    if (c == ':' && !round_.empty()) {
      if (const auto weight = weight_here()) {
        at_ = weight->end;
        return close(round_, weight->value);
      }
    }
    if (c == ')' && !round_.empty()) return ++at_, close(round_, kRound);
    if (c == ']' && !square_.empty()) return ++at_, close(square_, kSquare);
    if (is_special(c)) {
      entries_.push_back({std::u32string(1, c)});
      ++at_;
      return;
    }
    const size_t begin = at_;
    while (at_ < text_.size() && !is_special(text_[at_].c)) ++at_;
    plain(begin, at_);
  }

  void escape() {
    const bool known = at_ + 1 < text_.size() && is_special(text_[at_ + 1].c) && text_[at_ + 1].c != ':';
    entries_.push_back({known ? std::u32string(1, text_[at_ + 1].c) : U""});
    at_ += known ? 2 : 1;
  }

  void open(std::vector<size_t>& brackets) {
    require(round_.size() + square_.size() < kDeepest, ErrorKind::usage, "prompt: byte ", text_[at_].at,
            ": brackets are nested more than ", kDeepest, " deep; hint: \\( is the character itself");
    brackets.push_back(entries_.size());
    ++at_;
  }

  void close(std::vector<size_t>& brackets, double factor) {
    multiply(brackets.back(), factor);
    brackets.pop_back();
  }

  void multiply(size_t first, double factor) {
    for (size_t i = first; i < entries_.size(); ++i) entries_[i].weight *= factor;
  }

  /// ":1.2)" with spaces around the number.
  std::optional<Weight> weight_here() const {
    size_t end = at_ + 1;
    const auto skip_spaces = [&] {
      while (end < text_.size() && is_python_space(text_[end].c)) ++end;
    };
    skip_spaces();
    const bool plus = end < text_.size() && text_[end].c == '+';
    if (plus) ++end;
    std::string digits;
    while (end < text_.size() && text_[end].c < 0x80) {
      const char c = static_cast<char>(text_[end].c);
      if (!(c >= '0' && c <= '9') && c != '.' && !(c == '-' && digits.empty() && !plus)) break;
      digits.push_back(c);
      ++end;
    }
    skip_spaces();
    if (end >= text_.size() || text_[end].c != ')') return std::nullopt;
    double value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
    return Weight{value, end + 1};
  }

  /// Text without special characters, divided at each BREAK.
  void plain(size_t begin, size_t end) {
    std::u32string run;
    for (size_t i = begin; i < end; ++i) run.push_back(text_[i].c);
    size_t done = 0;
    for (size_t found = run.find(kBreak); found != run.npos; found = run.find(kBreak, found + 1)) {
      size_t left = found, right = found + kBreak.size();
      const bool touched = (left > 0 && is_word(run[left - 1])) || (right < run.size() && is_word(run[right]));
      if (touched) continue;
      while (left > done && is_python_space(run[left - 1])) --left;
      while (right < run.size() && is_python_space(run[right])) ++right;
      entries_.push_back({run.substr(done, left - done)});
      entries_.push_back({U"", 1, true});
      done = right;
      found = right - 1;
    }
    entries_.push_back({run.substr(done)});
  }

  std::vector<PromptPiece> merged() const {
    std::vector<PromptPiece> pieces;
    bool breaks = false, joins = false;
    for (const Entry& entry : entries_) {
      if (entry.is_break) {
        breaks = true;
        joins = false;
        continue;
      }
      require(std::abs(entry.weight) <= kLargestWeight, ErrorKind::usage, "prompt: \"",
              printable(encode_utf8(entry.text), 40), "\": expected a weight of at most ", kLargestWeight, ", found ",
              entry.weight);
      if (joins && pieces.back().weight == entry.weight) {
        pieces.back().text += encode_utf8(entry.text);
      } else {
        pieces.push_back({encode_utf8(entry.text), entry.weight, breaks});
      }
      breaks = false;
      joins = true;
    }
    std::erase_if(pieces, [](const PromptPiece& piece) { return piece.text.empty() && !piece.breaks; });
    if (pieces.empty()) pieces.emplace_back();
    return pieces;
  }

  const Glyphs& text_;
  size_t at_ = 0;
  std::vector<Entry> entries_;
  std::vector<size_t> round_, square_;  // where the open brackets' entries begin
};

}  // namespace

Prompt parse_prompt(std::string_view text) {
  require_prompt(text);
  Prompt prompt;
  const Glyphs plain = take_loras(glyphs_of(text), text, prompt.loras);
  prompt.pieces = PieceReader(plain).read();
  refuse_editing(plain);
  return prompt;
}

std::string without_loras(std::string_view text, std::vector<PromptLora>& loras) {
  require_prompt(text);
  return encode_utf8(characters_of(take_loras(glyphs_of(text), text, loras)));
}

Prompt plain_prompt(std::string_view text) {
  require_prompt(text);
  return {{{std::string(text)}}, {}};
}

std::string text_of(const Prompt& prompt, size_t first) {
  std::string text;
  for (size_t i = first; i < prompt.pieces.size(); ++i) {
    if (prompt.pieces[i].breaks && i > first) text += ' ';
    text += prompt.pieces[i].text;
  }
  return text;
}

}  // namespace keyflow::text
