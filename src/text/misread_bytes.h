#pragma once
#include <optional>
#include <string>
#include <string_view>

// Repairs on the bytes that a misread text was made of, before they are read as UTF-8.
namespace keyflow::text {

/// Spaces inside what would be UTF-8 if they were A0 made A0: a program had taken the no-break space for a space.
/// source ftfy@6.3.1:ftfy/fixes.py restore_byte_a0, ftfy/chardata.py ALTERED_UTF8_RE
std::string restore_no_break_spaces(std::string bytes);

/// Sequences of UTF-8 with lost bytes (1A, in places "?") made U+FFFD.
/// source ftfy@6.3.1:ftfy/fixes.py replace_lossy_sequences, ftfy/chardata.py LOSSY_UTF8_RE
std::string replace_lost_bytes(std::string_view bytes);

/// The text of UTF-8 bytes, where surrogate pairs may be encoded one by one (CESU-8) and U+0000 as C0 80 (Java);
/// nothing if they are not even that.
/// source ftfy@6.3.1:ftfy/bad_codecs/utf8_variants.py
std::optional<std::u32string> decode_utf8_variants(std::string_view bytes);

}  // namespace keyflow::text
