#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

/// (x - mean) / sqrt(variance + eps) · gain + offset over the last dimension, in one pass where no gradient is wanted.
///
/// x             [B, L, C], any float
/// gain, offset  [B or 1, 1, C] float32
/// return        [B, L, C] in `type`; all arithmetic in float32
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& offset, double eps,
                      at::ScalarType type);

/// Adaptive layer norm: layer_norm(x) · (1 + scale) + shift.
///
/// x             [B, L, C], any float
/// shift, scale  [B or 1, 1, C] float32
/// return        [B, L, C] in `type`
/// source        Wan2.1 wan/modules/model.py@9737cba WanAttentionBlock.forward; DiT (2212.09748) fig. 3
at::Tensor modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale, double eps,
                    at::ScalarType type);

/// layer_norm by library calls; differentiable.
at::Tensor layer_norm_plain(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& offset, double eps,
                            at::ScalarType type);

}  // namespace keyflow::ops
