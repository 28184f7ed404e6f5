#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace keyflow::text {

/// What a character tends to mean in text that was decoded with the wrong code page. The groups are those of
/// ftfy@6.3.1:ftfy/badness.py MOJIBAKE_CATEGORIES and ftfy/chardata.py UTF8_CLUES; a character may be in several.
enum CharClass : uint32_t {
  kCommon = 1u << 0,
  kC1 = 1u << 1,
  kBad = 1u << 2,
  kLaw = 1u << 3,
  kCurrency = 1u << 4,
  kStart = 1u << 5,  ///< opens a phrase
  kEnd = 1u << 6,    ///< closes a phrase
  kNumeric = 1u << 7,
  kKaomoji = 1u << 8,
  kUpperAccented = 1u << 9,
  kLowerAccented = 1u << 10,
  kUpperCommon = 1u << 11,
  kLowerCommon = 1u << 12,
  kBox = 1u << 13,
  kLeadOfTwo = 1u << 14,  ///< read as a byte: leads two bytes of UTF-8, ...
  kLeadOfThree = 1u << 15,
  kLeadOfFour = 1u << 16,
  kContinuation = 1u << 17,        ///< ... follows a lead byte,
  kStrictContinuation = 1u << 18,  ///< ... and is no likely punctuation
  kAsciiLower = 1u << 19,
  kAsciiUpper = 1u << 20,
  kSpace = 1u << 21,  ///< \s of Python
  kWord = 1u << 22,   ///< \w of Python
};

/// The classes of each character, or-ed.
std::vector<uint32_t> classes_of(std::u32string_view text);

}  // namespace keyflow::text
