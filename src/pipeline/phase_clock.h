#pragma once
#include <chrono>
#include <vector>

#include "pipeline/render.h"

namespace keyflow::pipeline {

/// Measures seconds and peak memory of the phases of a render, one after the other, and tells the observer where it is.
/// A phase that comes again (segments) adds to its first entry.
class PhaseClock {
 public:
  explicit PhaseClock(Observer& observer) : observer_(observer) {}

  /// Ends the phase before, gives its memory back to the system and starts this one.
  void start(Phase phase, int64_t total, int64_t done = 0);
  /// `done` parts of the running phase.
  void advance(int64_t done);
  void stop();
  /// Throws Error::interrupted when the observer wants to stop.
  void throw_if_stopped() const;

  Observer& observer() { return observer_; }
  const std::vector<PhaseCost>& costs() const { return costs_; }

 private:
  Observer& observer_;
  std::vector<PhaseCost> costs_;
  bool running_ = false;
  Phase phase_ = Phase::load;
  int64_t total_ = 0;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace keyflow::pipeline
