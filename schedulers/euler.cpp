#include <ATen/TensorOperators.h>

#include "schedulers/sampler_loop.h"

namespace keyflow::schedulers {
namespace {

int64_t no_history(int64_t) { return 0; }

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

at::Tensor sample_heun(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                       const SamplerOptions& options) {
  auto state = begin(x, schedule, options, no_history);
  // On the vp path the listed sigma is the noise of x / alpha, and there the slope is as on the others.
  const auto scale = [&](int64_t i) { return schedule.path == NoisePath::vp ? schedule.alpha(i) : 1.0; };
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

}  // namespace keyflow::schedulers
