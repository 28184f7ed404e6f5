#include "models/layers/conv.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv3d.h>

#include "ops/packed_conv.h"

namespace keyflow::layers {

using weights::Init;

Conv2d::Conv2d(const weights::Scope& w, int64_t in, int64_t out, const Conv2dOptions& options, at::ScalarType compute)
    : branch_(w, {out, in, options.kernel, options.kernel}, compute), type_(compute), options_(options) {
  const int64_t k = options.kernel, fan_in = in * k * k;
  weight_ = Weight(w.tensor("weight", {out, in, k, k}, Init::fan_in, fan_in), compute);
  if (options.bias == Bias::yes) bias_ = Weight(w.tensor("bias", {out}, Init::fan_in, fan_in), compute);
  if (weight_.ready()) packed_ = ops::pack_conv2d(weight_.get(), {options.stride, options.padding});
  if (packed_.defined()) weight_ = {};
}

Conv2d::Conv2d(const weights::Scope& w, int64_t in, int64_t out, const Conv2dOptions& options)
    : Conv2d(w, in, out, options, w.compute().conv2d) {}

Conv2d Conv2d::fp32(const weights::Scope& w, int64_t in, int64_t out, const Conv2dOptions& options) {
  return Conv2d(w, in, out, options, at::kFloat);
}

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  const at::Tensor input = x.to(type_);
  at::Tensor y = convolved(input);
  branch_.add_conv2d(input, y, options_.stride, options_.padding);
  return y;
}

at::Tensor Conv2d::convolved(const at::Tensor& input) const {
  const at::Tensor bias = bias_.defined() ? bias_.get() : at::Tensor();
  if (!packed_.defined()) return at::conv2d(input, weight_.get(), bias, options_.stride, options_.padding);
  const bool gradient = at::GradMode::is_enabled() && input.requires_grad();
  return (gradient ? ops::packed_conv2d_plain : ops::packed_conv2d)(input, packed_, bias,
                                                                    {options_.stride, options_.padding});
}

Conv3d::Conv3d(const weights::Scope& w, int64_t in, int64_t out, const Conv3dOptions& options) : options_(options) {
  const auto [kt, kh, kw] = options.kernel;
  const int64_t fan_in = in * kt * kh * kw;
  const at::ScalarType compute = w.compute().conv3d;
  weight_ = Weight(w.tensor("weight", {out, in, kt, kh, kw}, Init::fan_in, fan_in), compute);
  bias_ = Weight(w.tensor("bias", {out}, Init::fan_in, fan_in), compute);
}

at::Tensor Conv3d::operator()(const at::Tensor& x) const {
  return at::conv3d(x.to(weight_.compute()), weight_.get(), bias_.get(), options_.stride, options_.padding);
}

}  // namespace keyflow::layers
