#pragma once
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/tanh.h>

#include "schedulers/prediction.h"
#include "schedulers/sampler.h"

namespace keyflow::schedulers::test {

/// A denoiser around velocity(x, time).
template <class Velocity>
Denoiser flow_denoiser(const Schedule& schedule, Velocity velocity) {
  return [&schedule, velocity](const at::Tensor& x, int64_t step) {
    return to_denoised(Prediction::flow, velocity(x, schedule.timestep(step)), x, schedule, step);
  };
}

/// The nonlinear model of diffusers_reference.py.
inline at::Tensor toy_velocity(const at::Tensor& x, double time) {
  return at::tanh(1.3 * x + 0.2) * (0.4 + time / 1000.0) - 0.3 * x;
}

}  // namespace keyflow::schedulers::test
