#pragma once
#include <ATen/core/Tensor.h>

#include <array>

namespace keyflow::ops {

/// Cuts a video into patches, one token each, so that a convolution whose stride is its kernel becomes one linear layer
/// with weight.flatten(1).
///
/// x       [B, C, T, H, W]
/// patch   sizes along T, H, W; each divides its axis
/// return  [B, L, C*P], L row-major over (T, H, W) in patches, channels slowest within a token
/// throws  Error::shape if a size does not divide
at::Tensor patchify(const at::Tensor& x, const std::array<int64_t, 3>& patch);

/// Joins tokens to a video; the channel is the FASTEST index within a token here (Wan's head writes it so).
///
/// tokens  [B, L, P*C]
/// grid    patches along T, H, W
/// return  [B, C, T, H, W]
/// source  Wan2.1 wan/modules/model.py@9737cba unpatchify
at::Tensor unpatchify(const at::Tensor& tokens, const std::array<int64_t, 3>& grid,
                      const std::array<int64_t, 3>& patch);

}  // namespace keyflow::ops
