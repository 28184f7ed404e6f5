#include <ATen/TensorOperators.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "schedulers/sampler_loop.h"

namespace keyflow::schedulers {
namespace {

constexpr int64_t kMostPast = 3;

int64_t past_slopes(int64_t step) { return std::min(step, kMostPast); }

/// Adams-Bashforth's weights for even steps, newest slope first, by the number of slopes.
std::vector<double> even_weights(size_t slopes) {
  static const std::array<std::vector<double>, 4> weights{
      {{1.0}, {3.0 / 2, -1.0 / 2}, {23.0 / 12, -16.0 / 12, 5.0 / 12}, {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}}};
  return weights[slopes - 1];
}

/// The same for the places where the sigmas really stand: integrals of the Lagrange polynomials over the step, which
/// two Gauss points give exactly; in units of the step's length. Slopes at one sigma count once.
std::vector<double> exact_weights(const Schedule& schedule, int64_t i, size_t slopes) {
  const auto& sigmas = schedule.sigmas;
  size_t distinct = 1;
  while (distinct < slopes && sigmas[i - distinct] > sigmas[i - distinct + 1]) ++distinct;
  const double middle = 0.5 * (sigmas[i] + sigmas[i + 1]), half = 0.5 * (sigmas[i + 1] - sigmas[i]);
  std::vector<double> weights;
  for (size_t j = 0; j < distinct; ++j) {
    double sum = 0.0;
    for (const double node : {middle - half / std::sqrt(3.0), middle + half / std::sqrt(3.0)}) {
      double value = 0.5;
      for (size_t k = 0; k < distinct; ++k) {
        if (k != j) value *= (node - sigmas[i - k]) / (sigmas[i - j] - sigmas[i - k]);
      }
      sum += value;
    }
    weights.push_back(sum);
  }
  return weights;
}

at::Tensor combined(const std::vector<at::Tensor>& slopes, const std::vector<double>& weights) {
  at::Tensor sum = weights[0] * slopes[0];
  for (size_t j = 1; j < weights.size(); ++j) sum = sum + weights[j] * slopes[j];
  return sum;
}

/// The slope of the probability-flow ODE in the listed sigma at an index of the schedule.
at::Tensor slope_at(const Schedule& schedule, int64_t index, const at::Tensor& x, const at::Tensor& denoised) {
  const double sigma = schedule.sigma(index);
  return (x / slope_scale(schedule.path, sigma) - denoised) / sigma;
}

/// x at sigmas[i] moved along one slope to another sigma.
at::Tensor along(const Schedule& schedule, int64_t i, double target, const at::Tensor& x, const at::Tensor& slope) {
  const double sigma = schedule.sigmas[i];
  return (x / slope_scale(schedule.path, sigma) + (target - sigma) * slope) * slope_scale(schedule.path, target);
}

/// What is remembered of a point: its slope, or what gives it (see sample_pndm).
using Measure = std::function<at::Tensor(int64_t index, const at::Tensor& x, const at::Tensor& denoised)>;
/// Called with the measures, newest first, of which the last three are kept; gives the slope of the whole step from x.
using Combination = std::function<at::Tensor(const std::vector<at::Tensor>& measures, int64_t i, const at::Tensor& x)>;
/// Where step i ends.
using Target = std::function<double(int64_t i)>;

at::Tensor run_multistep(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                         const SamplerOptions& options, const Target& target, const Measure& measure,
                         const Combination& combine) {
  auto state = begin(x, schedule, options, past_slopes);
  while (state.step < schedule.steps()) {
    const int64_t i = state.step;
    const auto denoised = denoised_at(denoise, state.latents, i);
    auto measures = state.history;
    measures.insert(measures.begin(), measure(i, state.latents, denoised));
    auto next = along(schedule, i, target(i), state.latents, combine(measures, i, state.latents));
    if (static_cast<int64_t>(measures.size()) > kMostPast) measures.pop_back();
    state.history = std::move(measures);
    finish_step(state, std::move(next), denoised, options);
  }
  return state.latents;
}

/// run_multistep on slopes, from sigma to sigma, with weights(i, number of slopes).
at::Tensor run_on_slopes(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                         const SamplerOptions& options,
                         const std::function<std::vector<double>(int64_t i, size_t slopes)>& weights) {
  return run_multistep(
      denoise, x, schedule, options, [&](int64_t i) { return schedule.sigmas[i + 1]; },
      [&](int64_t index, const at::Tensor& here, const at::Tensor& denoised) {
        return slope_at(schedule, index, here, denoised);
      },
      [&](const std::vector<at::Tensor>& slopes, int64_t i, const at::Tensor&) {
        return combined(slopes, weights(i, slopes.size()));
      });
}

}  // namespace

at::Tensor sample_lms(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                      const SamplerOptions& options) {
  return run_on_slopes(denoise, x, schedule, options,
                       [&](int64_t i, size_t slopes) { return exact_weights(schedule, i, slopes); });
}

at::Tensor sample_ipndm(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                        const SamplerOptions& options) {
  return run_on_slopes(denoise, x, schedule, options, [](int64_t, size_t slopes) { return even_weights(slopes); });
}

at::Tensor sample_pndm(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                       const SamplerOptions& options) {
  // diffusers averages what the network gives: for a model of velocities those, not the noises they stand for.
  const bool velocities = options.averages_velocity && schedule.path == NoisePath::vp;
  const Measure measure = [&](int64_t index, const at::Tensor& here, const at::Tensor& denoised) {
    return velocities ? (schedule.alpha(index) * here - denoised) / schedule.spread(index)
                      : slope_at(schedule, index, here, denoised);
  };
  const auto slope_of = [&](const at::Tensor& mean, int64_t i, const at::Tensor& here) {
    return velocities ? schedule.alpha(i) * mean + schedule.spread(i) * here : mean;
  };
  // The first step has no past: it is done twice, the second time with the mean of what is found at both of its ends.
  const bool has_inner = !schedule.inner_sigmas.empty();
  const int64_t second = has_inner ? schedule.inner(0) : 1;
  const bool twice = has_inner ? schedule.inner_sigmas[0] > 0 : schedule.steps() > 1 && schedule.sigmas[1] > 0;
  return run_multistep(
      denoise, x, schedule, options,
      [&](int64_t i) { return schedule.landings.empty() ? schedule.sigmas[i + 1] : schedule.landings[i]; }, measure,
      [&](const std::vector<at::Tensor>& measures, int64_t i, const at::Tensor& here) {
        if (i > 0 || !twice) return slope_of(combined(measures, even_weights(measures.size())), i, here);
        const auto ahead = along(schedule, 0, schedule.sigma(second), here, slope_of(measures[0], 0, here));
        const auto again = denoised_at(denoise, ahead, second);
        return slope_of(0.5 * (measures[0] + measure(second, ahead, again)), 0, here);
      });
}

}  // namespace keyflow::schedulers
