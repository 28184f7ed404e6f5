#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

namespace keyflow::ops {

struct AttentionOptions {
  at::ScalarType type = at::kFloat;  ///< of both products; the softmax is float32 whatever it is
  std::optional<double> scale = {};  ///< of the scores; 1/sqrt(D) if absent
  at::Tensor bias = {};              ///< added to the scores, broadcast to [B, N, L, M]; none if undefined
};

/// Scaled dot-product attention, softmax(q kᵀ · scale + bias) v.
///
/// q [B, N, L, D], k [B, N, M, D], v [B, N, M, D], any float, strided as they like with the last dimension dense
/// return [B, N, L, D] in options.type; laid out so that merge_heads copies nothing. NaN or infinity in q or k makes it
///        NaN, which the CPU kernel of libtorch alone does not guarantee
/// throws Error::shape if the shapes disagree
/// source Attention Is All You Need (1706.03762) eq. 1
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const AttentionOptions& options = {});

/// The same by two matrix products and a softmax in float32, scores kept whole: the twin that tests compare with.
at::Tensor attention_plain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const AttentionOptions& options = {});

/// [B, L, N*D] -> [B, N, L, D], a view.
at::Tensor split_heads(const at::Tensor& x, int64_t heads);

/// [B, N, L, D] -> [B, L, N*D], a view of what attention returns.
at::Tensor merge_heads(const at::Tensor& x);

}  // namespace keyflow::ops
