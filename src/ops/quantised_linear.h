#pragma once
#include <ATen/core/Tensor.h>

#include "core/quantised/blocks.h"

namespace keyflow::ops {

struct QuantisedLinearOptions {
  at::ScalarType type = at::kFloat;  ///< of the products and of the result
  int64_t scratch_bytes = 8 << 20;   ///< for the rows that lie unpacked at one time
};

/// y = x Wᵀ + b with a packed W of [out, in]. A band of W's rows is unpacked into scratch and multiplied, then the
/// next, so that W never lies unpacked as a whole; where a gradient for x is wanted the plain twin runs, which keeps
/// it.
///
/// x       [..., in], any float, on the CPU
/// bias    [out] in `type`, or undefined
/// return  [..., out] in `type`; equal to the twin but for the order of float sums
/// throws  Error::shape
at::Tensor quantised_linear(const at::Tensor& x, const Blocks& weight, const at::Tensor& bias,
                            const QuantisedLinearOptions& options = {});

/// The same with W unpacked whole.
at::Tensor quantised_linear_plain(const at::Tensor& x, const Blocks& weight, const at::Tensor& bias,
                                  at::ScalarType type = at::kFloat);

}  // namespace keyflow::ops
