#pragma once
#include <array>
#include <optional>

#include "pipeline/render.h"

namespace keyflow::apps {

/// How far a render is and how long it will take, from nothing but the phases' own counts.
///
/// Each phase has a fixed share of the work (the steps of denoising have most). The time left is the rest of all shares
/// at the rate of the running phase. Upscaling alone is all of the work. Loading and saving come between the others and
/// count for nothing.
class TimeEstimate {
 public:
  /// As Observer::progress; `now_s` seconds since the start.
  void update(pipeline::Phase phase, int64_t done, int64_t total, double now_s);
  /// 0 to 1, never falling.
  double fraction() const { return fraction_; }
  /// Seconds; nothing before the first step has been measured.
  std::optional<double> left_s() const { return left_s_; }

 private:
  std::array<double, pipeline::kPhases.size()> part_{};  // done of each phase, 0 to 1
  std::optional<pipeline::Phase> phase_;
  double began_s_ = 0, began_part_ = 0;
  double fraction_ = 0;
  std::optional<double> left_s_;
};

}  // namespace keyflow::apps
