#include "apps/time_estimate.h"

namespace keyflow::apps {
namespace {

using pipeline::Phase;

/// Shares of the work, in the order of the phases; the middle three come once per segment.
constexpr double kShares[] = {1, 3, 2, 72, 20, 2};
constexpr double kSum = 100;

double share(Phase phase) { return kShares[static_cast<size_t>(phase)]; }
bool repeats(Phase phase) { return phase == Phase::image || phase == Phase::denoise || phase == Phase::decode; }

}  // namespace

void TimeEstimate::update(Phase phase, int64_t done, int64_t total, double now_s) {
  if (phase_ != phase) {
    if (phase_ && phase < *phase_ && segment_ + 1 < segments_) ++segment_;
    phase_ = phase;
    phase_began_s_ = now_s;
  }
  const double part = total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0) : 0.0;
  const double count = static_cast<double>(segments_);
  double before = 0;
  for (const Phase other : pipeline::kPhases) {
    const double earlier_segments = repeats(other) ? share(other) * static_cast<double>(segment_) / count : 0;
    before +=
        other < phase ? (repeats(other) ? earlier_segments + share(other) / count : share(other)) : earlier_segments;
  }
  const double own = repeats(phase) ? share(phase) / count : share(phase);
  fraction_ = std::clamp((before + own * part) / kSum, fraction_, 1.0);
  if (done > 0 && phase >= Phase::denoise) {
    const double rest = kSum - before - own;
    left_s_ = (now_s - phase_began_s_) * (1 - part) / part + now_s * rest / (before + own * part);
  }
}

}  // namespace keyflow::apps
