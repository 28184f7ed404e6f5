#include "models/layers/adaptive_norm.h"

#include "ops/layer_norm.h"

namespace keyflow::layers {

using weights::Scope;

ModulationProjection::ModulationProjection(const Scope& w, int64_t channels, int64_t parts)
    : linear(Linear::fp32(w / "linear", channels, parts * channels)), parts_(parts) {}

std::vector<at::Tensor> ModulationProjection::operator()(const at::Tensor& condition) const {
  return linear(condition).unsqueeze(1).chunk(parts_, 2);  // of [B, 1, C]
}

Modulation modulation_of(const std::vector<at::Tensor>& parts) {
  return {parts.at(0), parts.at(1), parts.at(2), parts.at(3), parts.at(4), parts.at(5)};
}

AdaptiveNorm::AdaptiveNorm(const Scope& w, int64_t channels, double eps)
    : scale(Linear::fp32(w / "scale", channels, channels)),
      shift(Linear::fp32(w / "shift", channels, channels)),
      eps_(eps) {}

at::Tensor AdaptiveNorm::operator()(const at::Tensor& x, const at::Tensor& condition, at::ScalarType type) const {
  return ops::modulate(x, shift(condition).unsqueeze(1), scale(condition).unsqueeze(1), eps_, type);
}

}  // namespace keyflow::layers
