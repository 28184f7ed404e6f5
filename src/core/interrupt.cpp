#include "core/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "core/error.h"
#include "core/last_words.h"

namespace keyflow {
namespace {

volatile sig_atomic_t pending = 0;

void on_signal(int number) {
  if (pending != 0) {
    unlink_temporaries();
    ::_exit(128 + number);
  }
  pending = number;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  install_bus_guard();
}

int pending_signal() { return pending; }

void throw_if_interrupted() {
  if (pending != 0) fail(ErrorKind::interrupted, "stopped by ", pending == SIGTERM ? "SIGTERM" : "Ctrl-C");
}

}  // namespace keyflow
