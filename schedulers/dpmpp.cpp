#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "schedulers/sampler_loop.h"

namespace keyflow::schedulers {
namespace {

constexpr int64_t kFewSteps = 15;

/// The weight of the second-order term: the exact integral (heun) or half the first-order weight (midpoint).
double second_weight(DpmVariant variant, double u) {
  return variant == DpmVariant::midpoint ? -0.5 * std::expm1(-u) : 1.0 + std::expm1(-u) / u;
}

/// DPM++ 2M with the share eta of fresh noise; eta = 0 is the deterministic solver.
at::Tensor run_2m(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule, const SamplerOptions& options,
                  double eta, const char* name) {
  auto state = begin(x, schedule, options, [](int64_t step) { return step > 0 ? 1 : 0; });
  const int64_t steps = schedule.steps();
  while (state.step < steps) {
    const int64_t i = state.step;
    const auto denoised = denoised_at(denoise, state.latents, i);
    const auto now = exponential_step(schedule, i, i + 1);
    const double u = now.h * (1.0 + eta);
    const double kept = eta > 0 ? std::exp(-eta * now.h) : 1.0;
    auto next = now.ratio * kept * state.latents - now.alpha * std::expm1(-u) * denoised;

    const bool ending = i + 1 == steps && (schedule.sigmas.back() == 0 || steps < kFewSteps);
    const double before = i > 0 ? exponential_step(schedule, i - 1, i).h : 0.0;
    // Equal sigmas give no slope, and from pure noise (infinitely far back) the slope is nothing.
    if (!ending && std::isfinite(before) && before > 0 && std::isfinite(now.h) && now.h > 0) {
      const auto slope = (denoised - state.history[0]) * (now.h / before);
      next = next + now.alpha * second_weight(options.dpm, u) * slope;
    }
    if (eta > 0) {
      const double fresh = schedule.spread(i + 1) * std::sqrt(-std::expm1(-2.0 * eta * now.h));
      next = next + fresh * noise_for(options, i, state.latents, name);
    }
    state.history = {denoised};
    finish_step(state, next, denoised, options);
  }
  return state.latents;
}

}  // namespace

at::Tensor sample_dpmpp_2m(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                           const SamplerOptions& options) {
  return run_2m(denoise, x, schedule, options, 0.0, "dpm++2m");
}

at::Tensor sample_dpmpp_2m_sde(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                               const SamplerOptions& options) {
  return run_2m(denoise, x, schedule, options, eta_of(options, 1.0), "dpm++2m_sde");
}

}  // namespace keyflow::schedulers
