#pragma once
#include <ATen/core/Tensor.h>

#include <string_view>

#include "models/layers/linear.h"
#include "weights/scope.h"

namespace keyflow::layers {

/// Queries, keys and values ready for attention, [B, N, L, D] each, in compute().attention.
struct Heads {
  at::Tensor query, key, value;
};

/// Both token sequences as one, those of `first` before those of `second`.
Heads join(const Heads& first, const Heads& second);

/// Attention of all tokens among themselves: [B, L, N*D] in compute().attention.
at::Tensor attend(const Heads& heads);

/// What the projections of one stream are called inside an attention layer.
struct ProjectionNames {
  std::string_view q, k, v, norm_q, norm_k;
};
constexpr ProjectionNames kPictureProjections{"to_q", "to_k", "to_v", "norm_q", "norm_k"};
constexpr ProjectionNames kTextProjections{"add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k"};

/// RMS norm of queries and keys, over each head by itself.
enum class QkNorm { none, rms };

struct HeadSizes {
  int64_t heads = 1, head_size = 2;
  QkNorm qk_norm = QkNorm::rms;
  double eps = 1e-6;  ///< of the norm
  int64_t channels() const { return heads * head_size; }
};

/// Tokens to heads: three linear layers [N*D, N*D], norms "weight" [D] of queries and keys, and a rotary embedding.
class HeadProjection {
 public:
  HeadProjection(const weights::Scope& w, const ProjectionNames& names, const HeadSizes& sizes);
  /// x [B, L, C]; table [L, D/2] complex64, undefined for none
  Heads operator()(const at::Tensor& x, const at::Tensor& table = {}) const;

 private:
  at::Tensor normed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& table) const;

  Linear q, k, v;
  at::Tensor norm_q, norm_k;  // [D] float32, or undefined
  HeadSizes sizes_;
  at::ScalarType type_;
};

}  // namespace keyflow::layers
