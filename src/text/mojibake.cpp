#include "text/mojibake.h"

#include <algorithm>

#include "text/char_classes.h"

namespace keyflow::text {
namespace {

/// One character of a rule: any of the classes, or any of the listed characters; or, negated, none of them.
struct Atom {
  uint32_t classes = 0;
  std::u32string_view listed = {};
  bool negated = false;

  bool matches(char32_t c, uint32_t bits) const {
    return ((bits & classes) != 0 || listed.find(c) != listed.npos) != negated;
  }
};

/// Atoms that stand side by side; `first` only at the beginning of the text.
struct Rule {
  std::vector<Atom> atoms;
  bool first = false;
};

const std::vector<Rule>& rules() {
  constexpr uint32_t accented = kLowerAccented | kUpperAccented;
  constexpr uint32_t letters = kAsciiLower | kAsciiUpper;
  constexpr uint32_t symbols = accented | kBox | kStart | kEnd | kCurrency | kNumeric | kLaw;
  constexpr uint32_t odd = kCommon | kCurrency | kBad | kNumeric | kStart;
  static const std::vector<Rule> table = {
      // any family of characters beside one that means nothing in prose
      {{{kC1}}},
      {{{symbols | kBad}, {kBad}}},
      {{{letters}, {kLowerCommon | kUpperCommon}, {kBad}}},
      {{{kBad}, {symbols}}},
      // capitals, currency, numbers and quotation marks where words do not have them
      {{{kLowerAccented | kLowerCommon | kBox | kEnd | kCurrency | kNumeric}, {kUpperAccented}}},
      {{{kBox | kEnd | kCurrency | kNumeric}, {kLowerAccented}}},
      {{{kLowerAccented | kBox | kEnd}, {kCurrency}}},
      {{{kSpace}, {kUpperAccented}, {kCurrency}}},
      {{{kUpperAccented | kBox}, {kNumeric | kLaw}}},
      {{{accented | kBox | kCurrency | kEnd}, {kStart}, {kNumeric}}},
      {{{accented | kCurrency | kNumeric | kBox | kLaw}, {kEnd}, {kStart}}},
      {{{kCurrency | kNumeric | kBox}, {kStart}}},
      {{{kAsciiLower}, {kUpperAccented}, {kStart | kCurrency}}},
      {{{kBox}, {kKaomoji}}},
      {{{accented | kCurrency | kNumeric | kStart | kEnd | kLaw}, {kBox}}},
      {{{kBox}, {kEnd}}},
      {{{accented}, {kStart | kEnd}, {kWord}}},
      {{{0, U"Œœ"}, {letters, U"", /*negated=*/true}}},
      {{{kUpperAccented}, {0, U"°"}}},
      // Windows-1252, leads of Latin letters, Arabic, South Asian scripts
      {{{0, U"ÂÃÎÐ"}, {kStart | kEnd, U"€œŠš¢£Ÿž\u00A0\u00AD®©°·»–—´"}}},
      {{{0, U"×"}, {0, U"²³"}}},
      {{{0, U"ØÙ"}, {odd, U"ŸŠ®°µ»"}, {0, U"ØÙ"}, {odd, U"ŸŠ®°µ»"}}},
      {{{0, U"à"}, {0, U"²µ¹¼½¾"}}},
      // MacRoman
      {{{0, U"√"}, {0, U"±∂†≠®™´≤≥¥µø"}}},
      {{{0, U"≈"}, {0, U"°¢"}}},
      {{{0, U"‚"}, {0, U"Ä"}, {0, U"ìîïòôúùû†°¢π"}}},
      {{{0, U"‚"}, {0, U"âó"}, {0, U"àä°ê"}}},
      // Windows-1251
      {{{0, U"в"}, {0, U"Ђ"}}},
      {{{0, U"ВГРС"}, {kC1 | kBad | kStart | kEnd | kCurrency, U"°µ"}, {0, U"ВГРС"}}},
      {{{0, U"Г"}, {0, U"ў"}, {0, U"В"}, {0, U"Ђ"}, {0, U"В"}, {0, U"\n", /*negated=*/true}, {letters, U" "}}},
      // Windows-1252 forms of à, á, the no-break space, and characters that encode themselves behind a "Â"
      {{{0, U"Ã"}, {0, U"\u00A0¡"}}},
      {{{kAsciiLower}, {kSpace}, {0, U"ÃÂ"}, {0, U" "}}},
      {{{kAsciiLower}, {0, U"ÃÂ"}, {0, U" "}}},
      {{{0, U"ÃÂ"}, {0, U" "}}, /*first=*/true},
      {{{kAsciiLower | kEnd, U".,?!"}, {0, U"Â"}, {kStart | kEnd, U" "}}},
      // Windows-1253 and Windows-1257
      {{{0, U"β"}, {0, U"€"}, {0, U"™\u00A0Ά\u00AD®°"}}},
      {{{0, U"ΒΓΞΟ"}, {kC1 | kBad | kStart | kEnd | kCurrency, U"°"}, {0, U"ΒΓΞΟ"}}},
      {{{0, U"ā"}, {0, U"€"}}},
  };
  return table;
}

bool holds(const Rule& rule, std::u32string_view text, const std::vector<uint32_t>& classes, size_t at) {
  if (at + rule.atoms.size() > text.size()) return false;
  for (size_t k = 0; k < rule.atoms.size(); ++k) {
    if (!rule.atoms[k].matches(text[at + k], classes[at + k])) return false;
  }
  return true;
}

/// Length of the byte-wise character at `at`, 0 if there is none.
size_t garbled_character(const std::vector<uint32_t>& classes, size_t at) {
  constexpr struct {
    uint32_t lead;
    size_t length;
  } kForms[] = {{kLeadOfTwo, 2}, {kLeadOfThree, 3}, {kLeadOfFour, 4}};
  for (const auto& [lead, length] : kForms) {
    if (!(classes[at] & lead) || at + length > classes.size()) continue;
    size_t k = 1;
    while (k < length && (classes[at + k] & kContinuation)) ++k;
    if (k == length) return length;
  }
  return 0;
}

}  // namespace

bool looks_garbled(std::u32string_view text) {
  const std::vector<uint32_t> classes = classes_of(text);
  for (const Rule& rule : rules()) {
    const size_t starts = rule.first ? std::min<size_t>(text.size(), 1) : text.size();
    for (size_t at = 0; at < starts; ++at) {
      if (holds(rule, text, classes, at)) return true;
    }
  }
  return false;
}

std::vector<Stretch> garbled_stretches(std::u32string_view text) {
  const std::vector<uint32_t> classes = classes_of(text);
  std::vector<Stretch> stretches;
  for (size_t at = 0; at < text.size();) {
    const bool may_start = at == 0 || !(classes[at - 1] & kStrictContinuation);
    size_t end = at;
    while (may_start && end < text.size()) {
      const size_t length = garbled_character(classes, end);
      if (length == 0) break;
      end += length;
    }
    if (end > at) stretches.push_back({at, end});
    at = end > at ? end : at + 1;
  }
  return stretches;
}

}  // namespace keyflow::text
