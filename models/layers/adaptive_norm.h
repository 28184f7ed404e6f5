#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "models/layers/linear.h"
#include "weights/scope.h"

namespace keyflow::layers {

/// What a condition (time, pooled text) does to the two residual branches of a block, [B, 1, C] float32 each.
struct Modulation {
  at::Tensor shift_attn, scale_attn, gate_attn, shift_ffn, scale_ffn, gate_ffn;
};

/// Projects a condition to the parts of an adaptive block: "linear" [parts*C, C], in float32.
/// source DiT (2212.09748) §3.2 adaLN-Zero
class ModulationProjection {
 public:
  ModulationProjection(const weights::Scope& w, int64_t channels, int64_t parts);
  /// condition [B, C] float32, after its SiLU; return `parts` tensors of [B, 1, C] float32
  std::vector<at::Tensor> operator()(const at::Tensor& condition) const;

 private:
  Linear linear;
  int64_t parts_;
};

/// The first six parts, in the order in which every publisher stacks them.
Modulation modulation_of(const std::vector<at::Tensor>& parts);

/// Layer norm whose scale and shift come from a condition: "scale" and "shift", [C, C] each. Files stack the two in one
/// tensor, and disagree on which goes first.
class AdaptiveNorm {
 public:
  AdaptiveNorm(const weights::Scope& w, int64_t channels, double eps);
  /// x [B, L, C]; condition [B, C] float32, after its SiLU; return [B, L, C] in `type`
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& condition, at::ScalarType type) const;

 private:
  Linear scale, shift;
  double eps_;
};

}  // namespace keyflow::layers
