#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

/// What stands between a query or key projection and attention: RMS norm, split into heads, and a rotary embedding
/// where there is one; in one pass where no gradient is wanted.
///
/// x       [B, L, N*D], any float
/// weight  float32; its length says over what the mean is taken: [N*D] all heads together (Wan), [D] each head by
/// itself
///         (FLUX, SD3.5)
/// table   [L, D/2] complex64 from rope_table; undefined for none
/// return  [B, N, L, D] in `type`; all arithmetic in float32
/// throws  Error::shape for another length of weight or table
/// source  Wan2.1 wan/modules/model.py@9737cba WanRMSNorm, WanSelfAttention; FLUX src/flux/modules/layers.py@c00d7c6
///         QKNorm
at::Tensor qk_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& table, int64_t heads, double eps,
                   at::ScalarType type);

/// The same by library calls; differentiable.
at::Tensor qk_norm_plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& table, int64_t heads,
                         double eps, at::ScalarType type);

}  // namespace keyflow::ops
