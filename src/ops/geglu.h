#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

/// a · GELU(g) where x holds a in the first half of its last dimension and the gate g in the second; the exact GELU,
/// g · Φ(g). In one pass where no gradient is wanted.
///
/// x       [..., 2F], any float
/// return  [..., F], same type; computed in float32, to 3e-7 of the largest value
/// throws  Error::shape if the last dimension is odd
/// source  GLU Variants Improve Transformer (2002.05202) eq. 6; Φ by Abramowitz and Stegun 7.1.26
at::Tensor geglu(const at::Tensor& x);

/// The same by library calls; differentiable.
at::Tensor geglu_plain(const at::Tensor& x);

}  // namespace keyflow::ops
