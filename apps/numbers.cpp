#include "apps/numbers.h"

#include <charconv>
#include <cmath>

#include "core/error.h"

namespace keyflow::apps {
namespace {

constexpr int64_t kLargestSide = std::numeric_limits<int32_t>::max();

[[noreturn]] void refuse(const std::string& option, const std::string& text, const std::string& expected) {
  fail(ErrorKind::usage, option, ": expected ", expected, ", found \"", printable(text), "\"");
}

template <class Number>
bool parse(const std::string& text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  return problem == std::errc() && stop == end;
}

/// 0.1 as "0.1", not as "0.10000000000000001".
std::string shortest(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

}  // namespace

int64_t whole_number(const std::string& option, const std::string& text, int64_t least, int64_t most) {
  int64_t value = 0;
  if (!parse(text, value) || value < least || value > most) {
    refuse(option, text, c10::str("a whole number from ", least, " to ", most));
  }
  return value;
}

uint64_t unsigned_number(const std::string& option, const std::string& text, uint64_t most) {
  uint64_t value = 0;
  if (!parse(text, value) || value > most) refuse(option, text, c10::str("a whole number from 0 to ", most));
  return value;
}

double real_number(const std::string& option, const std::string& text, double least, double most) {
  double value = 0;
  if (!parse(text, value) || !std::isfinite(value) || value < least || value > most) {
    refuse(option, text, "a number from " + shortest(least) + " to " + shortest(most));
  }
  return value;
}

std::pair<int64_t, int64_t> size_of_frame(const std::string& option, const std::string& text) {
  const auto cross = text.find_first_of("x*X");
  int64_t width = 0, height = 0;
  const bool fits = cross != std::string::npos && parse(text.substr(0, cross), width) &&
                    parse(text.substr(cross + 1), height) && width > 0 && height > 0 && width <= kLargestSide &&
                    height <= kLargestSide;
  if (!fits) refuse(option, text, "WIDTHxHEIGHT, such as 832x480");
  return {width, height};
}

}  // namespace keyflow::apps
