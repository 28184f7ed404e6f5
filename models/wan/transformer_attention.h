#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "models/layers/linear.h"
#include "models/wan/config.h"
#include "weights/scope.h"

namespace keyflow::wan {

/// Keys and values ready for attention, [B, N, M, D] each, in compute().attention.
struct KeyValue {
  at::Tensor key, value;
};

/// RMS norm over all heads of a query or key, "weight" [C], then the rotary embedding where a table is given.
class QkNorm {
 public:
  QkNorm(const weights::Scope& w, const TransformerConfig& config);
  /// x [B, L, C]; table [L, D/2] complex64 or undefined; return [B, N, L, D] in compute().attention
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& table = {}) const;

 private:
  at::Tensor weight_;
  int64_t heads_;
  double eps_;
  at::ScalarType type_;
};

/// Attention among the video's tokens.
class SelfAttention {
 public:
  SelfAttention(const weights::Scope& w, const TransformerConfig& config);
  /// x [B, L, C]; table [L, D/2] complex64; return [B, L, C] in compute().linear
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& table) const;

 private:
  layers::Linear q, k, v, o;
  QkNorm norm_q, norm_k;
  int64_t heads_;
  at::ScalarType type_;
};

/// Attention from the video's tokens to the text and, apart from it, to the pictures; the two results are added.
class CrossAttention {
 public:
  CrossAttention(const weights::Scope& w, const TransformerConfig& config);
  /// embedded text or pictures [B, M, C]
  KeyValue text(const at::Tensor& context) const;
  KeyValue image(const at::Tensor& context) const;
  /// x [B, L, C]; image may be empty where no picture was given; return [B, L, C] in compute().linear
  at::Tensor operator()(const at::Tensor& x, const KeyValue& text, const KeyValue& image) const;

 private:
  struct ImageBranch {
    ImageBranch(const weights::Scope& w, const TransformerConfig& config);
    layers::Linear k_img, v_img;
    QkNorm norm_k_img;
  };
  layers::Linear q, k, v, o;
  QkNorm norm_q, norm_k;
  std::optional<ImageBranch> image_;
  int64_t heads_;
  at::ScalarType type_;
};

}  // namespace keyflow::wan
