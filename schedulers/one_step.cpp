#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

#include "schedulers/sampler_loop.h"

namespace keyflow::schedulers {
namespace {

int64_t no_history(int64_t) { return 0; }

/// Steps to `target(i)` with the share eta of fresh noise: sigma_eta^2 = eta^2 s'^2/s^2 (s^2 - s'^2 a^2/a'^2).
at::Tensor run_ancestral(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                         const SamplerOptions& options, double eta, const char* name,
                         const std::function<double(int64_t)>& target) {
  auto state = begin(x, schedule, options, no_history);
  while (state.step < schedule.steps()) {
    const int64_t i = state.step;
    const auto denoised = denoised_at(denoise, state.latents, i);
    const double alpha = schedule.alpha(i), spread = schedule.spread(i), sigma = target(i);
    const double next_alpha = alpha_of(schedule.path, sigma), next_spread = spread_of(schedule.path, sigma);
    const double carried = next_spread * alpha / spread;
    const double all_fresh = next_spread * std::sqrt(std::max(0.0, 1.0 - std::pow(carried / next_alpha, 2)));
    // At pure noise there is no data to keep, next_alpha is 0 and every share of fresh noise is as good.
    const double fresh = next_alpha > 0 ? eta * all_fresh : 0.0;
    const double kept = std::sqrt(next_spread * next_spread - fresh * fresh) / spread;
    auto next = kept * state.latents + (next_alpha - alpha * kept) * denoised;
    if (eta > 0) next = next + fresh * noise_for(options, i, state.latents, name);
    finish_step(state, next, denoised, options);
  }
  return state.latents;
}

}  // namespace

at::Tensor sample_euler(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                        const SamplerOptions& options) {
  auto state = begin(x, schedule, options, no_history);
  while (state.step < schedule.steps()) {
    const int64_t i = state.step;
    const auto denoised = denoised_at(denoise, state.latents, i);
    const double ratio = schedule.spread(i + 1) / schedule.spread(i);
    finish_step(state, ratio * state.latents + (schedule.alpha(i + 1) - schedule.alpha(i) * ratio) * denoised, denoised,
                options);
  }
  return state.latents;
}

at::Tensor sample_euler_a(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                          const SamplerOptions& options) {
  return run_ancestral(denoise, x, schedule, options, eta_of(options, 1.0), "euler_a",
                       [&](int64_t i) { return schedule.sigmas[i + 1]; });
}

at::Tensor sample_ddim(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                       const SamplerOptions& options) {
  return run_ancestral(denoise, x, schedule, options, eta_of(options, 0.0), "ddim", [&](int64_t i) {
    return schedule.landings.empty() ? schedule.sigmas[i + 1] : schedule.landings[i];
  });
}

at::Tensor sample_heun(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                       const SamplerOptions& options) {
  auto state = begin(x, schedule, options, no_history);
  const auto scale = [&](int64_t i) { return slope_scale(schedule.path, schedule.sigmas[i]); };
  while (state.step < schedule.steps()) {
    const int64_t i = state.step;
    const double sigma = schedule.sigmas[i], next = schedule.sigmas[i + 1];
    const auto denoised = denoised_at(denoise, state.latents, i);
    const auto here = state.latents / scale(i);
    const auto slope = (here - denoised) / sigma;
    auto ahead = here + (next - sigma) * slope;
    if (next > 0 && i + 1 < schedule.steps()) {
      const auto again = denoised_at(denoise, ahead * scale(i + 1), i + 1);
      ahead = here + (next - sigma) * 0.5 * (slope + (ahead - again) / next);
    }
    finish_step(state, ahead * scale(i + 1), denoised, options);
  }
  return state.latents;
}

at::Tensor sample_lcm(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                      const SamplerOptions& options) {
  auto state = begin(x, schedule, options, no_history);
  while (state.step < schedule.steps()) {
    const int64_t i = state.step;
    const auto denoised = denoised_at(denoise, state.latents, i);
    const auto noise = noise_for(options, i, state.latents, "lcm");
    finish_step(state, schedule.alpha(i + 1) * denoised + schedule.spread(i + 1) * noise, denoised, options);
  }
  return state.latents;
}

at::Tensor sample_tcd(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                      const SamplerOptions& options) {
  const double eta = eta_of(options, kTcdEta);
  auto state = begin(x, schedule, options, no_history);
  while (state.step < schedule.steps()) {
    const int64_t i = state.step;
    const bool last = i + 1 == schedule.steps();
    const auto denoised = denoised_at(denoise, state.latents, i);
    const double beyond = schedule.landings.empty() ? (1.0 - eta) * schedule.sigmas[i + 1] : schedule.landings[i];
    auto next = moved(schedule.path, schedule.sigmas[i], beyond, state.latents, denoised);
    if (eta > 0 && !last) {
      const double back = schedule.alpha(i + 1) / alpha_of(schedule.path, beyond);
      const double left = back * spread_of(schedule.path, beyond), wanted = schedule.spread(i + 1);
      const double fresh = std::sqrt(std::max(0.0, wanted * wanted - left * left));
      next = back * next + fresh * noise_for(options, i, state.latents, "tcd");
    }
    finish_step(state, std::move(next), denoised, options);
  }
  return state.latents;
}

}  // namespace keyflow::schedulers
