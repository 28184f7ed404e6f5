#pragma once
#include <cstdint>
#include <string>

#include "schedulers/inner_points.h"
#include "schedulers/sampler.h"

// What every sampler does around its own formula.
namespace keyflow::schedulers {

/// Where the run begins: x before step 0, or the saved state, whose history must hold history_at(step) tensors.
SamplerState begin(const at::Tensor& x, const Schedule& schedule, const SamplerOptions& options,
                   const std::function<int64_t(int64_t step)>& history_at);

/// denoise(x, step), checked for shape and type.
at::Tensor denoised_at(const Denoiser& denoise, const at::Tensor& x, int64_t step);

/// The noise of a step on the device and in the type of `like`. Throws Error::usage when the options have no noise.
at::Tensor noise_for(const SamplerOptions& options, int64_t step, const at::Tensor& like, const char* sampler);

/// The asked share of fresh noise, or the sampler's own. Throws Error::usage outside [0, 1].
double eta_of(const SamplerOptions& options, double usual);

/// Moves to `next`, one step further, and tells the callback.
void finish_step(SamplerState& state, at::Tensor next, const at::Tensor& denoised, const SamplerOptions& options);

/// What x is divided by so that its slope in the listed sigma is (x - denoised) / sigma: alpha on the vp path, else 1.
double slope_scale(NoisePath path, double sigma);

/// x moved from one sigma of a path to another, exactly if the denoised sample does not change on the way.
at::Tensor moved(NoisePath path, double from, double to, const at::Tensor& x, const at::Tensor& denoised);

/// The exact step from sigma i to sigma j when the denoised sample does not change:
/// x_j = ratio x_i - alpha phi1 denoised. All values are finite but h, which is infinite at either end.
struct ExponentialStep {
  double h;      ///< lambda_j - lambda_i, 0 when both sigmas are equal
  double phi1;   ///< expm1(-h)
  double ratio;  ///< spread_j / spread_i
  double alpha;  ///< alpha_j
};
ExponentialStep exponential_step(const Schedule& schedule, int64_t i, int64_t j);

}  // namespace keyflow::schedulers
