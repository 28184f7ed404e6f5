#pragma once
#include <ATen/core/Tensor.h>

#include "models/layers/linear.h"
#include "models/layers/norm.h"
#include "weights/scope.h"

namespace keyflow::clip {

/// What both towers' configurations say about a layer.
struct LayerSizes {
  int64_t width, mlp_width, heads;
  double eps;
  bool quick_gelu;  ///< x · sigmoid(1.702 x) instead of the exact GELU
};

/// x + attention(norm(x)), then x + mlp(norm(x)). source transformers CLIPEncoderLayer
class EncoderLayer {
 public:
  EncoderLayer(const weights::Scope& w, const LayerSizes& sizes);

  /// x       [B, L, C] float32; the caller gives it up
  /// bias    of the scores, broadcast to [B, N, L, L]; none if undefined
  /// return  [B, L, C] float32
  at::Tensor operator()(at::Tensor x, const at::Tensor& bias = {}) const;

 private:
  at::Tensor attention(const at::Tensor& x, const at::Tensor& bias) const;
  at::Tensor mlp(const at::Tensor& x) const;

  layers::LayerNorm layer_norm1;
  layers::Linear q_proj, k_proj, v_proj, out_proj;
  layers::LayerNorm layer_norm2;
  layers::Linear fc1, fc2;
  int64_t heads_;
  bool quick_gelu_;
  at::ScalarType attention_type_;
};

}  // namespace keyflow::clip
