#include "pipeline/colour_match.h"

#include <ATen/ops/lerp.h>
#include <ATen/ops/std.h>
#include <c10/util/StringUtil.h>

namespace keyflow::pipeline {
namespace {

constexpr double kLeastDeviation = 1e-3;  // of a flat frame, whose contrast must not be blown up

at::Tensor channel_mean(const at::Tensor& frame) { return frame.mean({1, 2}, /*keepdim=*/true); }
at::Tensor channel_deviation(const at::Tensor& frame) {
  return at::std(frame, {1, 2}, /*correction=*/0, /*keepdim=*/true).clamp_min(kLeastDeviation);
}

/// Mean distance of the channel means in steps of a byte.
double distance(const at::Tensor& frame, const ColourTarget& target) {
  return (channel_mean(frame) - target.mean).abs().mean().item<double>() * 127.5;
}

}  // namespace

ColourTarget colour_target(int64_t frame, const at::Tensor& picture) {
  return {frame, channel_mean(picture), channel_deviation(picture)};
}

at::Tensor ColourMatch::operator()(const at::Tensor& frame, int64_t number) {
  if (targets_.empty()) return frame;
  auto next = std::find_if(targets_.begin(), targets_.end(), [&](const auto& t) { return t.frame >= number; });
  if (next == targets_.end()) --next;
  ColourTarget target = *next;
  if (next != targets_.begin() && next->frame > number) {
    const auto& last = *std::prev(next);
    const double share = static_cast<double>(number - last.frame) / static_cast<double>(next->frame - last.frame);
    target = {number, at::lerp(last.mean, next->mean, share), at::lerp(last.deviation, next->deviation, share)};
  }
  const at::Tensor matched =
      ((frame - channel_mean(frame)) * (target.deviation / channel_deviation(frame)) + target.mean).clamp(-1, 1);
  if (next->frame == number) {
    before_ += distance(frame, target);
    after_ += distance(matched, target);
    ++matched_;
  }
  return matched;
}

std::string ColourMatch::note() const {
  if (matched_ == 0) return "";
  const auto rounded = [&](double sum) { return std::round(sum / static_cast<double>(matched_) * 10) / 10; };
  return c10::str("colours at the keyframes: ", rounded(before_), " of 255 off before the match, ", rounded(after_),
                  " after");
}

}  // namespace keyflow::pipeline
