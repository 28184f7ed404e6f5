#pragma once
#include <ATen/core/Tensor.h>

#include "models/layers/linear.h"
#include "models/wan/config.h"
#include "models/wan/transformer_attention.h"
#include "weights/scope.h"

namespace keyflow::wan {

/// The six parts of a block's modulation, [B, 1, C] float32 each.
struct Modulation {
  at::Tensor shift_attn, scale_attn, gate_attn, shift_ffn, scale_ffn, gate_ffn;
};

/// Linear, GELU (tanh), Linear.
class FeedForward {
 public:
  FeedForward(const weights::Scope& w, const TransformerConfig& config);
  /// x [B, L, C]; return [B, L, C] in compute().linear
  at::Tensor operator()(const at::Tensor& x) const;
  /// Tokens to take at a time so that the inner tensor stays near 128 MiB.
  int64_t tokens_at_once() const;

 private:
  layers::Linear up, down;
  int64_t inner_;
};

/// One block: three residual branches over the float32 stream x [B, L, C]. Where no gradient is wanted a branch adds
/// into x itself, so the caller gives it up.
class TransformerBlock {
 public:
  TransformerBlock(const weights::Scope& w, const TransformerConfig& config);
  /// e0 [B, 6, C] float32, the projected time
  Modulation modulation(const at::Tensor& e0) const;
  at::Tensor self_attention(at::Tensor x, const Modulation& m, const at::Tensor& table) const;
  at::Tensor cross_attention(at::Tensor x, const KeyValue& text, const KeyValue& image) const;
  /// `tokens_at_once` over the whole batch; 0 chooses. Where gradients are wanted all go at once.
  at::Tensor feed_forward(at::Tensor x, const Modulation& m, int64_t tokens_at_once = 0) const;

  const CrossAttention& cross() const { return cross_attn; }

 private:
  at::Tensor modulation_;
  SelfAttention self_attn;
  struct AffineNorm {
    AffineNorm(const weights::Scope& w, int64_t channels);
    at::Tensor weight, bias;  // [1, 1, C] float32
  } norm3;
  CrossAttention cross_attn;
  FeedForward ffn;
  double eps_;
  at::ScalarType linear_;
};

}  // namespace keyflow::wan
