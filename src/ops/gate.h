#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

/// x + y · gate, the end of a residual branch. Where no gradient is wanted x itself is overwritten and returned, so the
/// caller gives it up; otherwise it is left alone.
///
/// x       [B, L, C] float32
/// y       [B, L, C], any float
/// gate    [B or 1, 1, C] float32; undefined means 1
/// return  [B, L, C] float32
at::Tensor add_gated(at::Tensor x, const at::Tensor& y, const at::Tensor& gate = {});

/// The same by library calls into a new tensor; differentiable.
at::Tensor add_gated_plain(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate = {});

}  // namespace keyflow::ops
