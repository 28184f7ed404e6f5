#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

/// Sinusoidal embedding of diffusion times: [cos(t·w) | sin(t·w)] with w_i = 10000^(-2i/size), i < size/2.
///
/// timestep  [B], any type, 0 to 1000
/// size      even
/// return    [B, size] float32; computed in float64
/// source    Wan2.1 wan/modules/model.py@9737cba sinusoidal_embedding_1d
at::Tensor timestep_embedding(const at::Tensor& timestep, int64_t size);

}  // namespace keyflow::ops
