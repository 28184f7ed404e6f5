#pragma once
#include <ATen/core/Tensor.h>

#include "models/layers/linear.h"
#include "weights/scope.h"

namespace keyflow::layers {

/// Linear, SiLU, Linear in float32 ("linear_1", "linear_2"): turns a time, a guidance scale or a pooled text into a
/// condition.
class EmbeddingMlp {
 public:
  EmbeddingMlp(const weights::Scope& w, int64_t in, int64_t out);
  /// x [B, in], any float; return [B, out] float32
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  layers::Linear linear_1, linear_2;
};

}  // namespace keyflow::layers
