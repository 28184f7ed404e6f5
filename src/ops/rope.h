#pragma once
#include <ATen/core/Tensor.h>

#include <array>

namespace keyflow::ops {

/// The rotations of a rotary embedding over (T, H, W): cos θ + i sin θ for every token and channel pair.
///
/// grid       tokens along T, H, W; L = T*H*W, row-major in that order
/// head_size  D, even. Of its D/2 pairs the last third (rounded down) turns with W, as many with H, the rest with T
/// return     [L, D/2] complex128; pair j of an axis with n pairs turns by index · theta^(-j/n)
/// source     Wan2.1 wan/modules/model.py@9737cba rope_params and rope_apply; RoFormer (2104.09864) eq. 34
at::Tensor rope_table(const std::array<int64_t, 3>& grid, int64_t head_size, double theta = 10000);

/// The same for tokens that bring their positions along.
///
/// ids         [L, A], any type: the token's index along each of the A axes
/// axis_sizes  channels that turn with each axis, even; they sum to the head size D
/// return      [L, D/2] complex128, the axes one after the other; angles as above
/// throws      Error::shape unless there is an even size for each axis
/// source      FLUX src/flux/math.py@c00d7c6 rope, modules/layers.py EmbedND
at::Tensor rope_table(const at::Tensor& ids, at::IntArrayRef axis_sizes, double theta = 10000);

/// Turns the interleaved channel pairs (2j, 2j+1) of x.
///
/// x       [B, L, N, D], any float
/// table   [L, D/2] complex64: rope_table rounded once; products in float32
/// return  [B, L, N, D] float32
/// throws  Error::shape if L or D disagree
at::Tensor rope(const at::Tensor& x, const at::Tensor& table);

/// The same with products in float64 and a complex128 table, as the source does; rounded to float32 at the end.
at::Tensor rope_plain(const at::Tensor& x, const at::Tensor& table);

}  // namespace keyflow::ops
