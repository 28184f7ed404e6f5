#pragma once
#include <functional>

#include "schedulers/schedule.h"

namespace keyflow::schedulers {

/// Where a sampler of two evaluations asks within its steps.
enum class InnerPoints {
  none,
  half_log_sigma,  ///< between the step's ends in log sigma, as the list spells sigma (DPM2)
  half_lambda,     ///< between the step's ends in log(alpha / spread) (DPM++ 2S)
};

/// A step of the ancestral kind: down to a point with less noise than wanted, then `scale` and fresh noise bring the
/// sample to the next sigma's share of data and noise.
struct AncestralSplit {
  double sigma_down;  ///< on the schedule's path
  double scale;       ///< of the sample at sigma_down; 1 but on the flow and the vp path
  double fresh;       ///< standard deviation of the noise that is added
};

/// The step from sigmas[i] to sigmas[i + 1] with the share eta of the noise that keeps the marginals.
/// source k-diffusion k_diffusion/sampling.py get_ancestral_step; Song et al. (2010.02502) eq. 16
AncestralSplit ancestral_split(const Schedule& schedule, int64_t i, double eta);

/// The schedule with its inner points set; steps that end at 0 or start at pure noise have none.
///
/// eta      of the ancestral sampler, 0 for the others
/// time_of  the model's time at a sigma
Schedule with_inner_points(Schedule schedule, InnerPoints where, double eta,
                           const std::function<double(double sigma)>& time_of);

}  // namespace keyflow::schedulers
