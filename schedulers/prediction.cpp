#include "schedulers/prediction.h"

#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow::schedulers {

at::Tensor to_denoised(Prediction prediction, const at::Tensor& output, const at::Tensor& x, const Schedule& schedule,
                       int64_t step) {
  require_shape(output, x.sizes(), "model output");
  if (prediction == Prediction::sample) return output.to(x.scalar_type());
  require((prediction == Prediction::flow) == (schedule.path == NoisePath::flow), ErrorKind::config,
          "prediction: a velocity of the flow path and a flow schedule go together, and nothing else with either");
  const auto out = output.to(x.scalar_type());
  const double sigma = schedule.sigma(step), alpha = schedule.alpha(step), spread = schedule.spread(step);
  if (prediction == Prediction::flow) return x - sigma * out;
  if (prediction == Prediction::epsilon) return (x - spread * out) / alpha;
  if (schedule.path == NoisePath::vp) return alpha * x - spread * out;
  const double variance = sigma * sigma + 1.0;
  return x / variance - out * (sigma / std::sqrt(variance));
}

at::Tensor consistency(const at::Tensor& x0, const at::Tensor& x, double timestep) {
  constexpr double kTimeScale = 10.0, kDataVariance = 0.25;
  const double time = kTimeScale * timestep, total = time * time + kDataVariance;
  return (time / std::sqrt(total)) * x0 + (kDataVariance / total) * x;
}

double input_scale(const Schedule& schedule, int64_t step) {
  if (schedule.path != NoisePath::ve) return 1.0;
  const double sigma = schedule.sigma(step);
  return 1.0 / std::sqrt(1.0 + sigma * sigma);
}

}  // namespace keyflow::schedulers
