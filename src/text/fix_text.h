#pragma once
#include <string>

namespace keyflow::text {

/// Mends text that went through the wrong programs: misread encodings, HTML entities, terminal escapes, ligatures, wide
/// and narrow forms, curly quotes, line breaks, control characters; the result is in NFC. Line by line, until a line
/// does not change any more.
///
/// text    valid UTF-8 decoded (so that there are no surrogates to mend)
/// throws  Error::usage for entities or misreadings nested beyond all measure
/// source  ftfy@6.3.1:ftfy/__init__.py fix_text with its defaults, ftfy/fixes.py
std::u32string fix_text(const std::u32string& text);

}  // namespace keyflow::text
