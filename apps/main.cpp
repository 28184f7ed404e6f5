#include <c10/util/Exception.h>

#include <cstdlib>
#include <exception>
#include <new>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/memory.h"

namespace {

using keyflow::Error;
using keyflow::ErrorKind;

/// libtorch has things to say about itself that no user can act on.
class Silence final : public c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

int report(const std::string& message, int code) {
  keyflow::apps::note("error: " + message + "\n");
  return code;
}

int exit_code(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::usage:
    case ErrorKind::config:
      return 2;
    case ErrorKind::interrupted:
      return 128 + keyflow::pending_signal();
    default:
      return 1;
  }
}

std::string first_line(std::string text) { return keyflow::printable(text.substr(0, text.find('\n')), 300); }

/// Whatever is in flight, as one line. For exceptions that cross a thread's end as well as for main's own.
int report_current() {
  try {
    throw;
  } catch (const Error& error) {
    return report(error.what(), exit_code(error));
  } catch (const c10::Error& error) {
    return report("internal: libtorch: " + first_line(error.what_without_backtrace()), 1);
  } catch (const std::bad_alloc&) {
    return report("internal: out of memory; hint: a smaller --size, fewer --frames or a --tile", 1);
  } catch (const std::exception& error) {
    return report("internal: " + first_line(error.what()), 1);
  }
}

[[noreturn]] void on_terminate() {
  int code = 1;
  if (std::current_exception())
    code = report_current();
  else
    report("internal: the program ended without an exception", code);
  std::_Exit(code);
}

}  // namespace

int main(int count, char** words) {
  std::set_terminate(on_terminate);
  keyflow::apps::open_standard_streams();
  keyflow::install_signal_handlers();
  keyflow::tune_allocator();
  static Silence silence;
  c10::WarningUtils::set_warning_handler(&silence);
  try {
    return keyflow::apps::run_command_line(keyflow::apps::all_commands(), {words + std::min(count, 1), words + count});
  } catch (...) {
    return report_current();
  }
}
