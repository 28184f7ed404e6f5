#include "ops/timestep.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sin.h>

#include "core/shape.h"

namespace keyflow::ops {

at::Tensor timestep_embedding(const at::Tensor& timestep, int64_t size) {
  dims<1>(timestep, "timestep");
  require(size > 0 && size % 2 == 0, ErrorKind::shape, "timestep embedding: size must be even, found ", size);
  const int64_t half = size / 2;
  const auto options = at::TensorOptions().dtype(at::kDouble).device(timestep.device());
  const at::Tensor frequencies = at::pow(10000.0, at::arange(half, options) / -static_cast<double>(half));  // [half]
  const at::Tensor angles = at::outer(timestep.to(at::kDouble), frequencies);                               // [B, half]
  return at::cat({at::cos(angles), at::sin(angles)}, 1).to(at::kFloat);                                     // [B, size]
}

}  // namespace keyflow::ops
