#pragma once
#include <ATen/core/Tensor.h>

#include "weights/scope.h"

namespace keyflow::layers {

/// Layer norm over the last dimension, computed and returned in float32. "weight" [C] and "bias" [C].
class LayerNorm {
 public:
  LayerNorm(const weights::Scope& w, int64_t channels, double eps);
  /// x [..., C], any float; return [..., C] float32
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
  double eps_;
};

/// x / sqrt(mean(x²) + eps) · weight over the last dimension, computed and returned in float32. "weight" [C].
class RmsNorm {
 public:
  RmsNorm(const weights::Scope& w, int64_t channels, double eps);
  /// x [..., C], any float; return [..., C] float32
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  double eps_;
};

}  // namespace keyflow::layers
