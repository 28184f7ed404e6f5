#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

/// What stands between a query or key projection and attention: RMS norm over all heads together, split into heads, and
/// a rotary embedding where there is one; in one pass where no gradient is wanted.
///
/// x       [B, L, N*D], any float
/// weight  [N*D] float32
/// table   [L, D/2] complex64 from rope_table; undefined for none
/// return  [B, N, L, D] in `type`; all arithmetic in float32
/// source  Wan2.1 wan/modules/model.py@9737cba WanRMSNorm, WanSelfAttention
at::Tensor qk_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& table, int64_t heads, double eps,
                   at::ScalarType type);

/// The same by library calls; differentiable.
at::Tensor qk_norm_plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& table, int64_t heads,
                         double eps, at::ScalarType type);

}  // namespace keyflow::ops
