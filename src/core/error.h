#pragma once
#include <c10/util/StringUtil.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace keyflow {

/// What went wrong, in classes that decide the exit code: usage and config give 2, interrupted 130,
/// everything else 1.
enum class ErrorKind { usage, config, weights, shape, io, device, unsupported, numeric, interrupted, internal };

/// The word printed in front of a message: "weights", "io", ...
std::string_view name_of(ErrorKind kind);

/// The one exception type of keyflow. what() is "kind: where: what; expected ..., found ...; hint: ...";
/// further items follow on lines of their own, indented by two spaces.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, const std::vector<std::string>& items = {});
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws Error(kind) with the parts joined as c10::str joins them.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, c10::str(parts...));
}

/// Throws Error(kind) with the parts joined unless the condition holds.
template <class... Parts>
void require(bool condition, ErrorKind kind, const Parts&... parts) {
  if (!condition) fail(kind, parts...);
}

/// Text out of a file, made safe to print: controls, line separators and invalid UTF-8 escaped as \xNN, cut at
/// `limit` bytes with "..." after it, so that a tensor name can neither forge a line nor send terminal codes.
std::string printable(std::string_view text, size_t limit = 120);

/// The candidate nearest to `word` by edit distance, or "" when none is near (more than a third of it differs).
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace keyflow
