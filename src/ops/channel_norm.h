#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

enum class AfterNorm { silu, nothing };

/// x / max(‖x‖, 1e-12) · √C · gamma over channels at every position, then perhaps SiLU; float32 inside. One pass over
/// memory forwards and one backwards, channels last; differentiable in x and gamma.
///
/// x       [B, C, H, W] or [B, C, T, H, W], float32 or bfloat16 (other types go the plain way)
/// gamma   [C] float32
/// return  same shape and type, channels last
/// source  Wan2.1 wan/modules/vae.py@9737cba RMS_norm
at::Tensor channel_norm(const at::Tensor& x, const at::Tensor& gamma, AfterNorm after);

/// The same by library calls: the twin that tests compare with.
at::Tensor channel_norm_plain(const at::Tensor& x, const at::Tensor& gamma, AfterNorm after);

}  // namespace keyflow::ops
