#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace keyflow::apps {

// Numbers out of the command line. The whole text must be the number, whatever the locale; "1e3", "20x", "+5", "nan"
// and "inf" are refused with the option, the value and what was expected. All throw Error::usage.

int64_t whole_number(const std::string& option, const std::string& text, int64_t least, int64_t most);
uint64_t unsigned_number(const std::string& option, const std::string& text,
                         uint64_t most = std::numeric_limits<uint64_t>::max());
double real_number(const std::string& option, const std::string& text, double least, double most);

/// "832x480" (also with `*` or `X`, as other programs write it) as {width, height}.
std::pair<int64_t, int64_t> size_of_frame(const std::string& option, const std::string& text);

}  // namespace keyflow::apps
