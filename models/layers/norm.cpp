#include "models/layers/norm.h"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rsqrt.h>

namespace keyflow::layers {

using weights::Init;

LayerNorm::LayerNorm(const weights::Scope& w, int64_t channels, double eps)
    : weight_(w.tensor("weight", {channels}, Init::ones).to(at::kFloat)),
      bias_(w.tensor("bias", {channels}, Init::zeros).to(at::kFloat)),
      eps_(eps) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x.to(at::kFloat), {weight_.size(0)}, weight_, bias_, eps_);
}

RmsNorm::RmsNorm(const weights::Scope& w, int64_t channels, double eps)
    : weight_(w.tensor("weight", {channels}, Init::ones).to(at::kFloat)), eps_(eps) {}

at::Tensor RmsNorm::operator()(const at::Tensor& x) const {
  const at::Tensor y = x.to(at::kFloat);
  return y * at::rsqrt(y.square().mean(-1, /*keepdim=*/true) + eps_) * weight_;
}

}  // namespace keyflow::layers
