#include "schedulers/inner_points.h"

#include <algorithm>
#include <cmath>

namespace keyflow::schedulers {
namespace {

/// The sigma of a path whose noise over data is this ratio.
double sigma_at_ratio(NoisePath path, double ratio) { return path == NoisePath::flow ? ratio / (1 + ratio) : ratio; }

double ratio_at_sigma(NoisePath path, double sigma) { return path == NoisePath::flow ? sigma / (1 - sigma) : sigma; }

/// 0 when there is no such point.
double middle(NoisePath path, InnerPoints where, double sigma, double down) {
  if (down == 0 || down == sigma) return 0.0;
  if (where == InnerPoints::half_log_sigma) return std::sqrt(sigma * down);
  const double ratio = ratio_at_sigma(path, sigma);
  return std::isfinite(ratio) ? sigma_at_ratio(path, std::sqrt(ratio * ratio_at_sigma(path, down))) : 0.0;
}

}  // namespace

AncestralSplit ancestral_split(const Schedule& schedule, int64_t i, double eta) {
  const double next = schedule.sigmas[i + 1], next_alpha = schedule.alpha(i + 1), next_spread = schedule.spread(i + 1);
  const AncestralSplit plain{.sigma_down = next, .scale = 1.0, .fresh = 0.0};
  if (eta == 0 || next == 0 || next_alpha == 0) return plain;
  const double carried = next_spread * schedule.alpha(i) / (schedule.spread(i) * next_alpha);
  const double fresh = eta * next_spread * std::sqrt(std::max(0.0, 1.0 - carried * carried));
  if (fresh == 0) return plain;
  const double left = std::sqrt(std::max(0.0, next_spread * next_spread - fresh * fresh));
  const double down = sigma_at_ratio(schedule.path, left / next_alpha);
  return {.sigma_down = down, .scale = next_alpha / alpha_of(schedule.path, down), .fresh = fresh};
}

Schedule with_inner_points(Schedule schedule, InnerPoints where, double eta,
                           const std::function<double(double sigma)>& time_of) {
  schedule.inner_sigmas.clear();
  schedule.inner_timesteps.clear();
  if (where == InnerPoints::none) return schedule;
  for (int64_t i = 0; i < schedule.steps(); ++i) {
    const double down = ancestral_split(schedule, i, eta).sigma_down;
    const double inner = middle(schedule.path, where, schedule.sigmas[i], down);
    schedule.inner_sigmas.push_back(inner);
    schedule.inner_timesteps.push_back(inner > 0 ? time_of(inner) : 0.0);
  }
  return schedule;
}

}  // namespace keyflow::schedulers
