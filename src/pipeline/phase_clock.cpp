#include "pipeline/phase_clock.h"

#include "core/error.h"
#include "core/memory.h"

namespace keyflow::pipeline {

void PhaseClock::start(Phase phase, int64_t total, int64_t done) {
  stop();
  running_ = true;
  phase_ = phase;
  total_ = total;
  began_ = std::chrono::steady_clock::now();
  reset_peak_resident();
  observer_.progress(phase, done, total);
}

void PhaseClock::advance(int64_t done) { observer_.progress(phase_, done, total_); }

void PhaseClock::stop() {
  if (!running_) return;
  running_ = false;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  const auto same = [&](const PhaseCost& cost) { return cost.phase == phase_; };
  auto entry = std::find_if(costs_.begin(), costs_.end(), same);
  if (entry == costs_.end()) entry = costs_.insert(costs_.end(), PhaseCost{phase_, 0, 0});
  entry->seconds += seconds;
  entry->peak_bytes = std::max(entry->peak_bytes, peak_resident_bytes());
  trim_memory();
}

void PhaseClock::throw_if_stopped() const {
  if (observer_.wants_stop()) fail(ErrorKind::interrupted, "stopped in the phase ", name_of(phase_));
}

}  // namespace keyflow::pipeline
