#pragma once
#include <algorithm>
#include <optional>

#include "pipeline/render.h"

namespace keyflow::apps {

/// How far a render is and how long it will take, from nothing but the phases' own counts.
///
/// The phases have fixed shares (a step of denoising is most of the work); the time left is the running phase's own
/// rate for its rest and the mean rate so far for what follows. Segments repeat the phases between text and write.
class TimeEstimate {
 public:
  explicit TimeEstimate(int64_t segments) : segments_(std::max<int64_t>(segments, 1)) {}

  void update(pipeline::Phase phase, int64_t done, int64_t total, double now_s);
  /// 0 to 1, never falling.
  double fraction() const { return fraction_; }
  /// Seconds; nothing before the first step has been measured.
  std::optional<double> left_s() const { return left_s_; }

 private:
  int64_t segments_, segment_ = 0;
  std::optional<pipeline::Phase> phase_;
  double phase_began_s_ = 0;
  double fraction_ = 0;
  std::optional<double> left_s_;
};

}  // namespace keyflow::apps
