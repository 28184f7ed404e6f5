#include "apps/console.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"
#include "core/interrupt.h"

namespace keyflow::apps {
namespace {

/// 0 when all of it is written, else the error number.
int write_all(int stream, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(stream, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<size_t>(count));
  }
  return 0;
}

}  // namespace

void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is the one that is closed, because those below it are open by now.
    if (::fcntl(stream, F_GETFD) < 0) (void)!::open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  }
}

void print(std::string_view text) {
  const int problem = write_all(STDOUT_FILENO, text);
  require(problem == 0, ErrorKind::io, "standard output: cannot write ", text.size(),
          " bytes: ", std::strerror(problem));
}

std::string read_standard_input(size_t limit) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    throw_if_interrupted();
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, ErrorKind::io, "standard input: cannot read: ", std::strerror(errno));
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    require(text.size() <= limit, ErrorKind::io, "standard input: expected at most ", limit, " bytes, found more");
  }
}

void note(std::string_view text) { write_all(STDERR_FILENO, text); }

bool output_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool errors_go_to_terminal() { return ::isatty(STDERR_FILENO) == 1; }

size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string bytes_text(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, unit > 0 && value < 99.95 ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
  return buffer;
}

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t i = static_cast<int64_t>(digits.size()) - 3; i > 0; i -= 3) digits.insert(static_cast<size_t>(i), ",");
  return digits;
}

std::string duration_text(double seconds) {
  char buffer[40];
  const auto whole = static_cast<long>(seconds + 0.5);
  if (seconds < 9.95)
    std::snprintf(buffer, sizeof buffer, "%.1f s", seconds);
  else if (whole < 60)
    std::snprintf(buffer, sizeof buffer, "%ld s", whole);
  else if (whole < 3600)
    std::snprintf(buffer, sizeof buffer, "%ld:%02ld", whole / 60, whole % 60);
  else
    std::snprintf(buffer, sizeof buffer, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  return buffer;
}

}  // namespace keyflow::apps
