#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "models/layers/group_norm.h"
#include "models/layers/linear.h"
#include "models/sd/config.h"
#include "weights/scope.h"

namespace keyflow::sd {

/// Widths of one transformer.
struct AttentionSizes {
  int64_t channels, heads, context;
  bool upcast;
};

/// Attention from tokens to tokens or to the text.
class Attention {
 public:
  /// context: width of what is attended
  Attention(const weights::Scope& w, const AttentionSizes& sizes, int64_t context);
  /// x [B, L, C]; context [B, M, context]; return [B, L, C] in compute().linear
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& context) const;

 private:
  layers::Linear to_q, to_k, to_v, to_out;
  int64_t heads_;
  at::ScalarType type_;
};

/// Linear to eight times the width, GEGLU, Linear back from four times: "net.0.proj" and "net.2".
class GatedFeedForward {
 public:
  GatedFeedForward(const weights::Scope& w, int64_t channels);
  /// x [B, L, C]; return [B, L, C] in compute().linear
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  layers::Linear up, down;
};

/// Three residual branches over the float32 stream x: attention among the tokens, attention to the text, feed-forward;
/// each after a layer norm. Where no gradient is wanted they add into x itself, so the caller gives it up.
class TransformerBlock {
 public:
  TransformerBlock(const weights::Scope& w, const AttentionSizes& sizes);
  /// x [B, L, C] float32; text [B, M, E]; return [B, L, C] float32
  at::Tensor operator()(at::Tensor x, const at::Tensor& text) const;

 private:
  struct Norm {
    Norm(const weights::Scope& w, int64_t channels);
    at::Tensor operator()(const at::Tensor& x) const;
    at::Tensor weight, bias;  // [1, 1, C] float32
    at::ScalarType type;
  };
  Norm norm1, norm2, norm3;
  Attention attn1, attn2;
  GatedFeedForward ff;
  int64_t channels_;
};

/// Group norm, a projection in, transformer blocks over the pixels, a projection out, around which x flows on.
///
/// source CompVis/stable-diffusion ldm/modules/attention.py@21f890f SpatialTransformer
class SpatialTransformer {
 public:
  SpatialTransformer(const weights::Scope& w, const AttentionSizes& sizes, int64_t depth, const UNetConfig& config);
  /// x [B, C, H, W] float32, given up by the caller; text [B, M, E]; return [B, C, H, W] float32
  at::Tensor operator()(at::Tensor x, const at::Tensor& text) const;

 private:
  layers::GroupNorm norm;
  layers::Linear proj_in, proj_out;
  std::vector<TransformerBlock> blocks_;
  at::ScalarType type_;
};

}  // namespace keyflow::sd
