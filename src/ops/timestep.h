#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

struct SinusoidOptions {
  bool cosine_first = true;  ///< [cos | sin], or [sin | cos]
  double shift = 0;          ///< taken off the number of waves in the exponent: with 1 the slowest is 1/10000 exactly
  /// In what t·w is computed. diffusers takes float32 for the image families, which is off by 1e-4 at a t of 1000 and
  /// shows in a network's output; Wan takes float64.
  at::ScalarType angles = at::kDouble;
};

/// Sinusoidal embedding of diffusion times: [cos(t·w) | sin(t·w)] with w_i = 10000^(-i/(size/2 - shift)), i < size/2.
///
/// timestep  [B], any type, 0 to 1000
/// size      even; more than 2 with a shift
/// return    [B, size] float32; computed in options.angles
/// source    Wan2.1 wan/modules/model.py@9737cba sinusoidal_embedding_1d; the options: diffusers
///           src/diffusers/models/embeddings.py@58eb52c get_timestep_embedding
at::Tensor timestep_embedding(const at::Tensor& timestep, int64_t size, const SinusoidOptions& options = {});

}  // namespace keyflow::ops
