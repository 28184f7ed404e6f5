#pragma once
#include <ATen/core/Tensor.h>

#include "schedulers/schedule.h"

namespace keyflow::schedulers {

/// What a network's output stands for.
enum class Prediction {
  flow,      ///< velocity eps - x0 of the flow path
  epsilon,   ///< the noise
  velocity,  ///< alpha eps - s x0 of the variance-preserving path ("v_prediction")
  sample,    ///< x0 itself
};

/// The network's estimate of the clean sample.
///
/// output      the network's output, any float, same shape as x
/// x           the sample the network saw (before any input scaling), float32
/// schedule, step  where x stands: a step or an inner index (Schedule::inner)
/// return      x0, float32
/// throws Error::shape when the shapes differ; Error::config for flow off the flow path, or the others on it
/// source      Lipman et al. (2210.02747); Salimans & Ho (2202.00512) eq. 13
at::Tensor to_denoised(Prediction prediction, const at::Tensor& output, const at::Tensor& x, const Schedule& schedule,
                       int64_t step);

/// What a consistency model's estimate becomes by its boundary condition: c_out x0 + c_skip x, with the time scaled by
/// 10 and a data spread of 0.5. source Luo et al. (2310.04378) eq. 9; diffusers 0.42.1 scheduling_lcm.py
at::Tensor consistency(const at::Tensor& x0, const at::Tensor& x, double timestep);

/// The factor a network on the ve path wants on its input, 1 / sqrt(1 + sigma^2); 1 on the other paths.
double input_scale(const Schedule& schedule, int64_t step);

}  // namespace keyflow::schedulers
