#pragma once

namespace keyflow {

/// From now on SIGINT and SIGTERM set a flag; a second one ends the process at once (130 or 143).
/// SIGPIPE and SIGXFSZ are ignored, so that a closed pipe or a size limit is an error code, not a death;
/// SIGBUS from a mapped file becomes an error line (core/last_words.h).
void install_signal_handlers();

/// The signal asked for, 0 if none.
int pending_signal();

/// Throws Error::interrupted when a signal is pending. Called between steps and between frames.
void throw_if_interrupted();

}  // namespace keyflow
