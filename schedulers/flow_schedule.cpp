#include "schedulers/flow_schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "schedulers/spacing.h"
#include "schedulers/vp_schedule.h"

namespace keyflow::schedulers {
namespace {

constexpr double kTrainSteps = 1000.0;
constexpr int64_t kMostSteps = 10000;

double to_float(double value) { return static_cast<float>(value); }

/// S(sigma), or its dynamic forms. T is the type the source computes in: float for sigmas handed over as float32.
template <class T>
std::vector<T> shifted(std::vector<T> sigmas, const FlowScheduleOptions& options) {
  const auto shift = static_cast<T>(options.shift), one = static_cast<T>(1);
  const auto pull = static_cast<T>(options.dynamic == DynamicShift::exponential ? std::exp(options.mu) : options.mu);
  for (auto& sigma : sigmas) {
    sigma = options.dynamic == DynamicShift::off ? shift * sigma / (one + static_cast<T>(options.shift - 1) * sigma)
                                                 : pull / (pull + (one / sigma - one));
  }
  return sigmas;
}

/// Stretches 1 - sigma so that the last sigma is the asked one.
template <class T>
std::vector<T> stretched(std::vector<T> sigmas, std::optional<double> terminal) {
  if (!terminal) return sigmas;
  const T one = 1;
  const T factor = (one - sigmas.back()) / static_cast<T>(1 - *terminal);
  require(factor > 0, ErrorKind::usage, "shift_terminal: needs a list that ends below sigma 1; use 2 steps or more");
  for (auto& sigma : sigmas) sigma = one - (one - sigma) / factor;
  return sigmas;
}

std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// The base list of a kind, before its shift.
std::vector<double> base_sigmas(FlowKind kind, const FlowScheduleOptions& options) {
  const int64_t n = options.steps;
  std::vector<double> sigmas;
  switch (kind) {
    case FlowKind::wan_unipc:
      sigmas = linspace(to_float(1.0 - 1.0 / kTrainSteps), 0.0, n + 1);
      break;
    case FlowKind::wan_dpm:
      sigmas = linspace(1.0, 0.0, n + 1);
      break;
    case FlowKind::diffusers_unipc:
      sigmas = linspace(1.0, 1.0 / kTrainSteps, n + 1);
      break;
    case FlowKind::diffusers_dpm:
      sigmas = linspace(1.0, 1.0 / kTrainSteps, n + 1);
      for (auto& sigma : sigmas) sigma = 1.0 - sigma;
      std::reverse(sigmas.begin(), sigmas.end());
      break;
    case FlowKind::flow_match_euler: {
      // The source shifts its table when it is made, and the list between the table's ends once more.
      auto smallest = static_cast<float>(1.0 / kTrainSteps);
      if (options.dynamic == DynamicShift::off) smallest = shifted<float>({smallest}, options).front();
      sigmas = linspace(kTrainSteps, kTrainSteps * smallest, n);
      for (auto& sigma : sigmas) sigma /= kTrainSteps;
      return sigmas;
    }
    case FlowKind::few_step:
      for (int64_t i = 0; i < n; ++i) {
        const int64_t time = options.few_steps.empty() ? 1000 - i * 1000 / n : options.few_steps[i];
        sigmas.push_back(time / kTrainSteps);
      }
      return sigmas;
  }
  sigmas.pop_back();
  return sigmas;
}

void check(FlowKind kind, const FlowScheduleOptions& o) {
  const auto name = name_of(kind);
  require(o.steps >= 1 && o.steps <= kMostSteps, ErrorKind::usage, "steps: expected 1 to ", kMostSteps, ", found ",
          o.steps);
  require(std::isfinite(o.shift) && o.shift > 0, ErrorKind::usage, "shift: expected a number above 0, found ", o.shift);
  require(std::isfinite(o.mu) && (o.dynamic != DynamicShift::linear || o.mu > 0), ErrorKind::usage, "mu: expected a ",
          o.dynamic == DynamicShift::linear ? "number above 0" : "finite number", ", found ", o.mu);
  const bool diffusers_list = kind == FlowKind::flow_match_euler || kind == FlowKind::diffusers_unipc;
  require(o.dynamic != DynamicShift::linear || diffusers_list, ErrorKind::usage, "linear dynamic shift: ", name,
          " knows only the exponential one");
  if (o.shift_terminal) {
    require(*o.shift_terminal > 0 && *o.shift_terminal < 1, ErrorKind::usage,
            "shift_terminal: expected a number between 0 and 1, found ", *o.shift_terminal);
    require(diffusers_list, ErrorKind::usage, "shift_terminal: not defined for ", name,
            "; hint: flow_match_euler and diffusers_unipc have it");
  }
  const bool spaced = o.spacing != Spacing::as_shifted;
  const bool without = kind == FlowKind::diffusers_dpm || kind == FlowKind::few_step ||
                       (kind == FlowKind::diffusers_unipc && o.spacing != Spacing::karras);
  require(!(spaced && without), ErrorKind::usage, "spacing ", name_of(o.spacing), ": not defined for ", name,
          "; hint: flow_match_euler has it");
  for (size_t i = 0; i < o.sigmas.size(); ++i) {
    require(o.sigmas[i] > 0 && o.sigmas[i] <= 1, ErrorKind::usage, "sigma ", i,
            ": expected a number above 0 and at most 1, found ", o.sigmas[i]);
    require(i == 0 || o.sigmas[i] <= o.sigmas[i - 1], ErrorKind::usage, "sigma ", i,
            ": expected at most the one before it, found ", o.sigmas[i]);
  }
  require(kind != FlowKind::few_step || (o.sigmas.empty() && o.dynamic == DynamicShift::off), ErrorKind::usage,
          "few_step: takes times of its table (few_steps) and a static shift, neither sigmas nor a dynamic shift");
  require(kind == FlowKind::few_step || o.few_steps.empty(), ErrorKind::usage, "few_steps: only few_step reads them");
  for (size_t i = 0; i < o.few_steps.size(); ++i) {
    require(o.few_steps[i] >= 1 && o.few_steps[i] <= 1000 && (i == 0 || o.few_steps[i] < o.few_steps[i - 1]),
            ErrorKind::usage, "few_steps: expected falling times from 1000 to 1, found ", o.few_steps[i], " at place ",
            i);
  }
  require(kind != FlowKind::few_step || o.steps <= 1000, ErrorKind::usage, "steps: few_step has at most 1000, found ",
          o.steps);
}

/// Ends the list in 0 and derives the times: of the exact sigma where the source truncates them, of the rounded one
/// where it does not.
Schedule finished(FlowKind kind, const std::vector<double>& sigmas) {
  Schedule schedule;
  for (const double sigma : sigmas) {
    schedule.sigmas.push_back(to_float(sigma));
    const bool exact_times = kind == FlowKind::flow_match_euler || kind == FlowKind::few_step;
    schedule.timesteps.push_back(exact_times ? to_float(to_float(sigma) * kTrainSteps)
                                             : std::trunc(sigma * kTrainSteps));
  }
  schedule.sigmas.push_back(0.0);
  validate(schedule);
  return schedule;
}

}  // namespace

Schedule flow_schedule(FlowKind kind, const FlowScheduleOptions& asked) {
  FlowScheduleOptions options = asked;
  if (!options.sigmas.empty()) options.steps = static_cast<int64_t>(options.sigmas.size());
  if (!options.few_steps.empty()) options.steps = static_cast<int64_t>(options.few_steps.size());
  check(kind, options);

  if (kind == FlowKind::diffusers_unipc && options.spacing == Spacing::karras) {
    // The source leaves shift and list aside here and maps the Karras list of its default betas to sigma / (1 + sigma).
    const auto table = vp_sigma_table({});
    auto karras = spaced(linspace(table.back(), table.front(), options.steps), Spacing::karras);
    for (auto& sigma : karras) sigma = sigma / (sigma + 1.0);
    return finished(kind, karras);
  }
  std::vector<double> sigmas;
  if (kind == FlowKind::flow_match_euler && !options.sigmas.empty()) {
    // The source turns sigmas from outside into float32 and computes in it.
    std::vector<float> given(options.sigmas.begin(), options.sigmas.end());
    sigmas = widened(stretched(shifted(std::move(given), options), options.shift_terminal));
  } else {
    sigmas = options.sigmas.empty() ? base_sigmas(kind, options) : options.sigmas;
    sigmas = stretched(shifted(std::move(sigmas), options), options.shift_terminal);
  }
  sigmas = spaced(sigmas, options.spacing);
  constexpr double kEdge = 1e-6;
  if (kind == FlowKind::diffusers_unipc && std::abs(sigmas.front() - 1.0) < kEdge) sigmas.front() -= kEdge;
  return finished(kind, sigmas);
}

double shifted_sigma(double sigma, const FlowScheduleOptions& options) {
  return shifted<double>({sigma}, options).front();
}

Schedule explicit_schedule(std::vector<double> sigmas) {
  require(!sigmas.empty(), ErrorKind::usage, "sigmas: expected at least 1, found none");
  if (sigmas.back() != 0) sigmas.push_back(0.0);
  Schedule schedule;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) schedule.timesteps.push_back(sigmas[i] * kTrainSteps);
  schedule.sigmas = std::move(sigmas);
  validate(schedule);
  return schedule;
}

double dynamic_mu(int64_t tokens, double base_shift, double max_shift, int64_t base_tokens, int64_t max_tokens) {
  require(tokens > 0 && max_tokens > base_tokens, ErrorKind::usage,
          "dynamic shift: expected a positive number of tokens", " and base < max, found ", tokens, " tokens, base ",
          base_tokens, ", max ", max_tokens);
  const double slope = (max_shift - base_shift) / static_cast<double>(max_tokens - base_tokens);
  return static_cast<double>(tokens) * slope + (base_shift - slope * static_cast<double>(base_tokens));
}

}  // namespace keyflow::schedulers
