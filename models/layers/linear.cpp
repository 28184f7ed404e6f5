#include "models/layers/linear.h"

#include <ATen/ops/linear.h>

namespace keyflow::layers {

using weights::Init;

Weight::Weight(at::Tensor stored, at::ScalarType compute) : stored_(std::move(stored)), compute_(compute) {
  const bool frozen = !stored_.requires_grad() && !stored_.is_meta();
  const auto stored_size = static_cast<size_t>(stored_.element_size());
  if (frozen && c10::elementSize(compute) <= stored_size) stored_ = stored_.to(compute);
}

Linear::Linear(const weights::Scope& w, at::IntArrayRef shape, Bias bias, at::ScalarType compute)
    : branch_(w, shape.slice(0, 2), compute),
      weight_(w.tensor("weight", shape, Init::fan_in, shape[1]).flatten(1), compute) {
  if (bias == Bias::yes) bias_ = Weight(w.tensor("bias", {shape[0]}, Init::fan_in, shape[1]), compute);
}

Linear::Linear(const weights::Scope& w, int64_t in, int64_t out, Bias bias)
    : Linear(w, {out, in}, bias, w.compute().linear) {}

Linear Linear::fp32(const weights::Scope& w, int64_t in, int64_t out, Bias bias) {
  return Linear(w, {out, in}, bias, at::kFloat);
}

Linear Linear::pointwise(const weights::Scope& w, int64_t in, int64_t out, Bias bias) {
  return Linear(w, {out, in, 1, 1}, bias, w.compute().linear);
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  const at::Tensor input = x.to(weight_.compute());
  at::Tensor y = at::linear(input, weight_.get(), bias_.defined() ? bias_.get() : at::Tensor());
  branch_.add_linear(input, y);
  return y;
}

}  // namespace keyflow::layers
