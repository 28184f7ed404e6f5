#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace keyflow::schedulers {

/// How a noised sample mixes data and noise, x = alpha x0 + s eps, as functions of the listed sigma.
enum class NoisePath {
  flow,  ///< alpha = 1 - sigma, s = sigma; sigma in [0, 1]
  vp,    ///< alpha = 1 / sqrt(1 + sigma^2), s = sigma alpha (variance preserving, sigma = s / alpha)
  ve,    ///< alpha = 1, s = sigma (the k-diffusion form of the same models)
};

/// A schedule is two lists of numbers. Values are float32 where the source stores float32, held in double.
struct Schedule {
  std::vector<double> sigmas;     ///< S+1 values, never rising; the last is where the run ends, usually 0
  std::vector<double> timesteps;  ///< S values: the time that the model is given at each step
  NoisePath path = NoisePath::flow;
  double start_spread = 1.0;  ///< what the first noise is multiplied with to become the sample at sigmas[0]
  std::vector<double>
      landings;  ///< S sigmas where DDIM's, PNDM's and TCD's steps end, when not at the next one; or empty
  std::vector<double> inner_sigmas;  ///< S points inside the steps, for samplers that ask twice a step; 0 = none there
  std::vector<double> inner_timesteps;  ///< S times of these points; both lists are empty for the other samplers

  int64_t steps() const { return static_cast<int64_t>(timesteps.size()); }
  /// The index of the point inside step i. The functions below take it as they take the index of a step.
  int64_t inner(int64_t i) const { return steps() + 1 + i; }
  /// The step that an index stands for or lies in.
  int64_t step_of(int64_t index) const { return index > steps() ? index - steps() - 1 : index; }
  double sigma(int64_t i) const;     ///< sigma i, 0 <= i <= S, or an inner one
  double timestep(int64_t i) const;  ///< the time that the model is given there, i < S or an inner index
  double alpha(int64_t i) const;     ///< share of the data at sigma i
  double spread(int64_t i) const;    ///< standard deviation of the noise at sigma i
  double lambda(int64_t i) const;    ///< log(alpha / spread); -inf at pure noise, +inf at pure data
};

/// The two shares at a sigma of a path: of the data, and the standard deviation of the noise.
double alpha_of(NoisePath path, double sigma);
double spread_of(NoisePath path, double sigma);

/// Throws Error::usage unless there is at least one step and the sigmas are finite, never rise, are not negative, do
/// not begin at 0, and on the flow path do not exceed 1.
void validate(const Schedule& schedule);

/// The schedule without its first `first` steps, for a start from a noised picture (0 <= first < S).
Schedule starting_at(const Schedule& schedule, int64_t first);

/// x0 with noise as it stands before step `step`: alpha x0 + s noise, float32.
at::Tensor add_noise(const at::Tensor& x0, const at::Tensor& noise, const Schedule& schedule, int64_t step);

}  // namespace keyflow::schedulers
