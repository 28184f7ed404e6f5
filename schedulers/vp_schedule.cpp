#include "schedulers/vp_schedule.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "schedulers/spacing.h"

namespace keyflow::schedulers {
namespace {

constexpr int64_t kTrainSteps = 1000;
// DDIM alone meets pure noise unclamped; this ratio is pure noise to float32.
constexpr double kPureNoise = 1e8;

double to_float(double value) { return static_cast<float>(value); }

/// The training times, falling, as floats where the source does not round them.
std::vector<double> training_times(VpKind kind, const VpScheduleOptions& o) {
  const int64_t n = o.steps;
  // The multistep lists are made for one more time, whose last one is dropped.
  const int64_t extra = kind == VpKind::multistep ? 1 : 0;
  std::vector<double> times;
  if (o.times == TimeSpacing::linspace) {
    for (const double t : linspace(0, kTrainSteps - 1, n + extra)) {
      times.push_back(kind == VpKind::euler ? to_float(t) : std::nearbyint(t));
    }
  } else if (o.times == TimeSpacing::leading) {
    const int64_t stride = kTrainSteps / (n + extra);
    for (int64_t i = 0; i < n + extra; ++i) times.push_back(static_cast<double>(i * stride + o.steps_offset));
  } else {
    const double stride = static_cast<double>(kTrainSteps) / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i) times.push_back(std::nearbyint(kTrainSteps - static_cast<double>(i) * stride) - 1);
    return times;
  }
  std::reverse(times.begin(), times.end());
  times.resize(n);
  return times;
}

std::vector<double> distilled_times(int64_t n, int64_t distillation_steps) {
  const int64_t stride = kTrainSteps / distillation_steps;
  std::vector<double> times;
  for (int64_t i = 0; i < n; ++i) {
    const auto place = static_cast<int64_t>(std::floor(static_cast<double>(i) * distillation_steps / n));
    times.push_back(static_cast<double>((distillation_steps - place) * stride - 1));
  }
  return times;
}

void check(VpKind kind, const VpScheduleOptions& o) {
  require(o.distillation_steps >= 1 && o.distillation_steps <= kTrainSteps, ErrorKind::config,
          "distillation steps: expected 1 to ", kTrainSteps, ", found ", o.distillation_steps);
  const int64_t most = kind == VpKind::lcm         ? o.distillation_steps
                       : kind == VpKind::multistep ? kTrainSteps - 1
                                                   : kTrainSteps;
  require(o.steps >= 1 && o.steps <= most, ErrorKind::usage, "steps: expected 1 to ", most, ", found ", o.steps);
  require(o.steps_offset == 0 || o.steps_offset == 1, ErrorKind::config, "steps_offset: expected 0 or 1, found ",
          o.steps_offset);
  require(o.spacing == Spacing::as_shifted || kind == VpKind::euler || kind == VpKind::multistep, ErrorKind::usage,
          "spacing ", name_of(o.spacing), ": defined for the euler and multistep lists only");
}

/// Lays `spacing` over the list and finds the times that belong to the new sigmas.
void respace(Schedule& schedule, VpKind kind, const VpScheduleOptions& o, const std::vector<double>& table) {
  if (o.spacing == Spacing::as_shifted) return;
  // Euler takes the ends of its own list, the multistep solvers those of the whole table.
  auto ends = schedule.sigmas;
  if (kind == VpKind::multistep) ends = linspace(table.back(), table.front(), o.steps);
  schedule.sigmas = spaced(ends, o.spacing);
  for (size_t i = 0; i < schedule.sigmas.size(); ++i) {
    double time = time_at_sigma(table, schedule.sigmas[i]);
    if (kind == VpKind::euler) {
      time = to_float(time);
    } else if (o.spacing == Spacing::karras && o.betas.law != BetaLaw::squaredcos) {
      time = std::nearbyint(time);
    } else {
      time = std::trunc(time);
    }
    schedule.timesteps[i] = time;
  }
}

}  // namespace

Schedule vp_schedule(VpKind kind, const VpScheduleOptions& options) {
  check(kind, options);
  auto table = vp_sigma_table(options.betas);
  const bool unclamped = kind == VpKind::ddim || kind == VpKind::lcm;
  if (options.betas.zero_terminal_snr && unclamped) table.back() = kPureNoise;

  Schedule schedule;
  schedule.path = kind == VpKind::euler ? NoisePath::ve : NoisePath::vp;
  schedule.timesteps =
      kind == VpKind::lcm ? distilled_times(options.steps, options.distillation_steps) : training_times(kind, options);
  require(schedule.timesteps.front() <= kTrainSteps - 1, ErrorKind::usage, "steps: ", options.steps,
          " leave no room for the offset of ", options.steps_offset);
  for (const double time : schedule.timesteps) schedule.sigmas.push_back(sigma_at_time(table, time));
  respace(schedule, kind, options, table);

  const double end = options.end_at_zero || kind == VpKind::lcm ? 0.0 : table.front();
  if (kind == VpKind::ddim) {
    for (const double time : schedule.timesteps) {
      const auto target = static_cast<int64_t>(time) - kTrainSteps / options.steps;
      schedule.landings.push_back(target >= 0 ? table[target] : end);
    }
  }
  for (auto& sigma : schedule.sigmas) sigma = to_float(sigma);
  schedule.sigmas.push_back(end);
  if (kind == VpKind::euler) {
    const double most = schedule.sigmas.front();
    schedule.start_spread = options.times == TimeSpacing::leading ? std::hypot(most, 1.0) : most;
  }
  validate(schedule);
  return schedule;
}

}  // namespace keyflow::schedulers
