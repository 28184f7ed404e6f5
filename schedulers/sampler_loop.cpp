#include "schedulers/sampler_loop.h"

#include <ATen/TensorOperators.h>

#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow::schedulers {
namespace {

void require_latents(const at::Tensor& x, const std::string& name) {
  require(x.defined() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble), ErrorKind::shape, name,
          ": expected float32 (or float64), found ", x.defined() ? c10::toString(x.scalar_type()) : "nothing");
}

}  // namespace

SamplerState begin(const at::Tensor& x, const Schedule& schedule, const SamplerOptions& options,
                   const std::function<int64_t(int64_t step)>& history_at) {
  validate(schedule);
  if (!options.resume) {
    require_latents(x, "latents");
    return {.step = 0, .latents = x, .history = {}};
  }
  const SamplerState& saved = *options.resume;
  require(saved.step >= 0 && saved.step <= schedule.steps(), ErrorKind::usage, "saved state: expected step 0 to ",
          schedule.steps(), ", found ", saved.step);
  require_latents(saved.latents, "saved latents");
  const auto expected = static_cast<size_t>(history_at(saved.step));
  require(saved.history.size() == expected, ErrorKind::usage, "saved state: expected ", expected,
          " tensors of history at step ", saved.step, ", found ", saved.history.size(),
          "; hint: it was made by another sampler or with another order");
  for (const auto& tensor : saved.history) {
    require_latents(tensor, "saved history");
    require_shape(tensor, saved.latents.sizes(), "saved history");
  }
  return saved;
}

at::Tensor denoised_at(const Denoiser& denoise, const at::Tensor& x, int64_t step) {
  auto denoised = denoise(x, step);
  require_latents(denoised, "denoised sample");
  require_shape(denoised, x.sizes(), "denoised sample");
  return denoised;
}

at::Tensor noise_for(const SamplerOptions& options, int64_t step, const at::Tensor& like, const char* sampler) {
  require(static_cast<bool>(options.noise), ErrorKind::usage, sampler, ": expected a source of noise, found none");
  const auto noise = options.noise(step);
  require_shape(noise, like.sizes(), "noise");
  return noise.to(like.options());
}

double eta_of(const SamplerOptions& options, double usual) {
  const double eta = options.eta.value_or(usual);
  require(eta >= 0 && eta <= 1, ErrorKind::usage, "eta: expected 0 to 1, found ", eta);
  return eta;
}

void finish_step(SamplerState& state, at::Tensor next, const at::Tensor& denoised, const SamplerOptions& options) {
  state.latents = std::move(next);
  ++state.step;
  if (options.on_step) options.on_step(state, denoised);
}

double slope_scale(NoisePath path, double sigma) { return path == NoisePath::vp ? alpha_of(path, sigma) : 1.0; }

at::Tensor moved(NoisePath path, double from, double to, const at::Tensor& x, const at::Tensor& denoised) {
  const double kept = spread_of(path, to) / spread_of(path, from);
  return kept * x + (alpha_of(path, to) - alpha_of(path, from) * kept) * denoised;
}

ExponentialStep exponential_step(const Schedule& schedule, int64_t i, int64_t j) {
  const bool still = schedule.sigmas[i] == schedule.sigmas[j];
  const double h = still ? 0.0 : schedule.lambda(j) - schedule.lambda(i);
  return {.h = h, .phi1 = std::expm1(-h), .ratio = schedule.spread(j) / schedule.spread(i), .alpha = schedule.alpha(j)};
}

}  // namespace keyflow::schedulers
