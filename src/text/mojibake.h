#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace keyflow::text {

/// True if some neighbouring characters hardly ever stand together except in text decoded with the wrong code page.
/// source ftfy@6.3.1:ftfy/badness.py is_bad
bool looks_garbled(std::u32string_view text);

/// A stretch of a text that looks like characters of UTF-8 read byte by byte; [begin, end).
struct Stretch {
  size_t begin, end;
};

/// All such stretches, in order, each as long as possible.
/// source ftfy@6.3.1:ftfy/chardata.py UTF8_DETECTOR_RE
std::vector<Stretch> garbled_stretches(std::u32string_view text);

}  // namespace keyflow::text
