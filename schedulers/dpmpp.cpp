#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

#include "schedulers/sampler_loop.h"

namespace keyflow::schedulers {
namespace {

constexpr int64_t kFewSteps = 15;

/// A member of the family: the highest order, the share of fresh noise and the habits near the end of a short run.
struct Solver {
  int64_t order;
  double eta;
  DpmVariant second;       ///< weight of the second-order term
  bool lower_before_last;  ///< short runs take their last step but one with order 2 at most
  const char* name;
};

/// The weight of the second-order term: the exact integral (heun) or half the first-order weight (midpoint).
double second_weight(DpmVariant variant, double u) {
  return variant == DpmVariant::midpoint ? -0.5 * std::expm1(-u) : 1.0 + std::expm1(-u) / u;
}

/// phi_3: the exact integral of the third-order term.
double third_weight(double u) { return (1.0 + std::expm1(-u) / u) / u - 0.5; }

/// How many denoised samples a step can use: 1 + the earlier ones that stand at finite distances. Equal sigmas give no
/// slope, and from pure noise (infinitely far back) the slope is nothing.
int64_t usable_order(const Schedule& schedule, int64_t i, int64_t wanted) {
  const double now = exponential_step(schedule, i, i + 1).h;
  if (!std::isfinite(now) || now == 0) return 1;
  int64_t order = 1;
  for (; order < wanted; ++order) {
    const double before = exponential_step(schedule, i - order, i - order + 1).h;
    if (!std::isfinite(before) || before == 0) break;
  }
  return order;
}

int64_t order_at(const Schedule& schedule, int64_t i, const Solver& solver) {
  const int64_t steps = schedule.steps();
  const bool short_run = steps < kFewSteps;
  // k-diffusion's third-order solver knows no short runs.
  if (i + 1 == steps && (schedule.sigmas.back() == 0 || (short_run && solver.lower_before_last))) return 1;
  int64_t most = std::min(solver.order, i + 1);
  if (i + 2 == steps && short_run && solver.lower_before_last) most = std::min<int64_t>(most, 2);
  return usable_order(schedule, i, most);
}

/// past: denoised samples, newest first.
at::Tensor higher_terms(const Schedule& schedule, int64_t i, int64_t order, const Solver& solver,
                        const std::vector<at::Tensor>& past) {
  const auto now = exponential_step(schedule, i, i + 1);
  const double u = now.h * (1.0 + solver.eta), r0 = exponential_step(schedule, i - 1, i).h / now.h;
  const auto newer = (past[0] - past[1]) / r0;
  if (order == 2) return now.alpha * second_weight(solver.second, u) * newer;
  const double r1 = exponential_step(schedule, i - 2, i - 1).h / now.h;
  const auto older = (past[1] - past[2]) / r1;
  const auto bend = (newer - older) / (r0 + r1);
  return now.alpha * (second_weight(DpmVariant::heun, u) * (newer + r0 * bend) - third_weight(u) * bend);
}

at::Tensor run_multistep(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                         const SamplerOptions& options, const Solver& solver) {
  auto state = begin(x, schedule, options, [&](int64_t step) { return std::min(step, solver.order - 1); });
  const double eta = solver.eta;
  while (state.step < schedule.steps()) {
    const int64_t i = state.step;
    const auto denoised = denoised_at(denoise, state.latents, i);
    const auto now = exponential_step(schedule, i, i + 1);
    const double kept = eta > 0 ? std::exp(-eta * now.h) : 1.0;
    auto next = now.ratio * kept * state.latents - now.alpha * std::expm1(-now.h * (1.0 + eta)) * denoised;

    auto past = state.history;
    past.insert(past.begin(), denoised);
    const int64_t order = order_at(schedule, i, solver);
    if (order > 1) next = next + higher_terms(schedule, i, order, solver, past);
    if (eta > 0) {
      const double fresh = schedule.spread(i + 1) * std::sqrt(-std::expm1(-2.0 * eta * now.h));
      next = next + fresh * noise_for(options, i, state.latents, solver.name);
    }
    if (static_cast<int64_t>(past.size()) > solver.order - 1) past.pop_back();
    state.history = std::move(past);
    finish_step(state, std::move(next), denoised, options);
  }
  return state.latents;
}

}  // namespace

at::Tensor sample_dpmpp_2m(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                           const SamplerOptions& options) {
  return run_multistep(denoise, x, schedule, options, {2, 0.0, options.dpm, true, "dpm++2m"});
}

at::Tensor sample_dpmpp_2m_sde(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                               const SamplerOptions& options) {
  return run_multistep(denoise, x, schedule, options, {2, eta_of(options, 1.0), options.dpm, true, "dpm++2m_sde"});
}

at::Tensor sample_dpmpp_3m(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                           const SamplerOptions& options) {
  return run_multistep(denoise, x, schedule, options, {3, 0.0, options.dpm, true, "dpm++3m"});
}

at::Tensor sample_dpmpp_3m_sde(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                               const SamplerOptions& options) {
  const double eta = eta_of(options, 1.0);
  return run_multistep(denoise, x, schedule, options, {3, eta, DpmVariant::heun, false, "dpm++3m_sde"});
}

at::Tensor sample_res_multistep(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                                const SamplerOptions& options) {
  return run_multistep(denoise, x, schedule, options, {2, 0.0, DpmVariant::heun, false, "res_multistep"});
}

}  // namespace keyflow::schedulers
