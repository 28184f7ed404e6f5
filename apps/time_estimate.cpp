#include "apps/time_estimate.h"

namespace keyflow::apps {
namespace {

using pipeline::Phase;

/// load, text, image, denoise, decode, upscale, write; upscaling is a command of its own
constexpr std::array<double, pipeline::kPhases.size()> kShares{0, .03, .02, .75, .20, 0, 0};

}  // namespace

void TimeEstimate::update(Phase phase, int64_t done, int64_t total, double now_s) {
  const auto index = static_cast<size_t>(phase);
  const double part = total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0) : 0;
  if (phase_ != phase) {
    phase_ = phase;
    began_s_ = now_s;
    began_part_ = part;
    // What was never started before a later phase is not needed (a resumed run).
    for (size_t i = 0; i < index && kShares[index] > 0; ++i) part_[i] = part_[i] > 0 ? part_[i] : 1;
  }
  if (phase == Phase::upscale) {
    fraction_ = std::max(fraction_, part);
    if (part > began_part_) left_s_ = (1 - part) * (now_s - began_s_) / (part - began_part_);
    return;
  }
  part_[index] = std::max(part_[index], part);
  double sum = 0;
  for (size_t i = 0; i < part_.size(); ++i) sum += kShares[i] * part_[i];
  fraction_ = std::clamp(sum, fraction_, 1.0);
  if (phase >= Phase::denoise && kShares[index] > 0 && part > began_part_) {
    left_s_ = (1 - fraction_) * (now_s - began_s_) / (kShares[index] * (part - began_part_));
  }
}

}  // namespace keyflow::apps
