#pragma once
#include <cstdint>
#include <string>
#include <string_view>

// Properties and forms of characters, out of utf8proc's tables (Unicode 15).
namespace keyflow::text {

bool is_letter(char32_t c);   ///< general category L
bool is_number(char32_t c);   ///< general category N
bool is_decimal(char32_t c);  ///< general category Nd
bool is_word(char32_t c);     ///< Python's \w: letters, numbers and "_"

/// Property White_Space: \s of Oniguruma, is_whitespace of Rust.
bool is_white_space(char32_t c);
/// \s and str.isspace of Python: White_Space and the four information separators.
bool is_python_space(char32_t c);

int combining_class(char32_t c);

std::u32string nfc(std::u32string_view text);
std::u32string nfkc(std::u32string_view text);

/// The full lower or upper case of one character, without regard to its neighbours; may be longer than one character.
std::u32string lower_case(char32_t c);
std::u32string upper_case(char32_t c);

/// True where an extended grapheme cluster ends between two neighbours; `state` starts as 0 and belongs to one text.
bool grapheme_break(char32_t left, char32_t right, int32_t& state);

}  // namespace keyflow::text
