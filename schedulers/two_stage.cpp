#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "schedulers/sampler_loop.h"

namespace keyflow::schedulers {
namespace {

/// From x at sigmas[i] down to a sigma, given the first denoised sample; asks once more at the inner point if any.
using Descent = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& denoised, int64_t i, double down)>;

/// The loop of the samplers with an inner point: descend, then fill up with the share eta of fresh noise.
at::Tensor run_two_stage(const at::Tensor& x, const Denoiser& denoise, const Schedule& schedule,
                         const SamplerOptions& options, double eta, const char* name, const Descent& descend) {
  require(!schedule.inner_sigmas.empty(), ErrorKind::usage, name,
          ": expected a schedule with inner points, found none; hint: make_schedule or with_inner_points set them");
  auto state = begin(x, schedule, options, [](int64_t) { return 0; });
  while (state.step < schedule.steps()) {
    const int64_t i = state.step;
    const auto denoised = denoised_at(denoise, state.latents, i);
    const auto split = ancestral_split(schedule, i, eta);
    auto next = descend(state.latents, denoised, i, split.sigma_down) * split.scale;
    if (eta > 0) next = next + split.fresh * noise_for(options, i, state.latents, name);
    finish_step(state, std::move(next), denoised, options);
  }
  return state.latents;
}

bool has_inner(const Schedule& schedule, int64_t i) { return schedule.inner_sigmas[i] > 0; }

at::Tensor run_dpm2(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                    const SamplerOptions& options, double eta, const char* name) {
  return run_two_stage(x, denoise, schedule, options, eta, name,
                       [&](const at::Tensor& here, const at::Tensor& denoised, int64_t i, double down) {
                         const double sigma = schedule.sigmas[i], scale = slope_scale(schedule.path, sigma);
                         const auto start = here / scale;
                         auto slope = (start - denoised) / sigma;
                         if (has_inner(schedule, i)) {
                           const double inner = schedule.inner_sigmas[i];
                           const auto middle = start + (inner - sigma) * slope;
                           const auto again =
                               denoised_at(denoise, middle * slope_scale(schedule.path, inner), schedule.inner(i));
                           slope = (middle - again) / inner;
                         }
                         return (start + (down - sigma) * slope) * slope_scale(schedule.path, down);
                       });
}

/// Weight of the second denoised sample in a step of length h in lambda.
using SecondWeight = double (*)(double h);

at::Tensor run_exponential(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                           const SamplerOptions& options, double eta, const char* name, SecondWeight weight) {
  return run_two_stage(x, denoise, schedule, options, eta, name,
                       [&](const at::Tensor& here, const at::Tensor& denoised, int64_t i, double down) {
                         const double sigma = schedule.sigmas[i];
                         if (!has_inner(schedule, i)) return moved(schedule.path, sigma, down, here, denoised);
                         const auto middle = moved(schedule.path, sigma, schedule.inner_sigmas[i], here, denoised);
                         const auto again = denoised_at(denoise, middle, schedule.inner(i));
                         const auto lambda = [&](double s) {
                           return std::log(alpha_of(schedule.path, s) / spread_of(schedule.path, s));
                         };
                         const double share = weight(lambda(down) - lambda(sigma));
                         return moved(schedule.path, sigma, down, here, denoised + share * (again - denoised));
                       });
}

/// phi_2(-h) / (c phi_1(-h)) with the inner point at c = 1/2.
double exact_weight(double h) { return 2.0 * (1.0 + std::expm1(-h) / h) / -std::expm1(-h); }

}  // namespace

at::Tensor sample_dpm2(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                       const SamplerOptions& options) {
  return run_dpm2(denoise, x, schedule, options, 0.0, "dpm2");
}

at::Tensor sample_dpm2_a(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                         const SamplerOptions& options) {
  return run_dpm2(denoise, x, schedule, options, eta_of(options, 1.0), "dpm2_a");
}

at::Tensor sample_dpmpp_2s_a(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                             const SamplerOptions& options) {
  return run_exponential(denoise, x, schedule, options, eta_of(options, 1.0), "dpm++2s_a", [](double) { return 1.0; });
}

at::Tensor sample_res_2s(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                         const SamplerOptions& options) {
  return run_exponential(denoise, x, schedule, options, 0.0, "res_2s", exact_weight);
}

}  // namespace keyflow::schedulers
