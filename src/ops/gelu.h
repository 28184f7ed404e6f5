#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

/// GELU in its tanh form, x/2 · (1 + tanh(sqrt(2/π) · (x + 0.044715 x³))). Where no gradient is wanted x itself is
/// overwritten and returned, so the caller gives it up.
///
/// x       any shape, any float; dense
/// return  same shape and type; computed in float32, to 3e-7 of the largest value
/// source  Gaussian Error Linear Units (1606.08415) §2
at::Tensor gelu_tanh(at::Tensor x);

/// The library's GELU; differentiable.
at::Tensor gelu_tanh_plain(const at::Tensor& x);

}  // namespace keyflow::ops
