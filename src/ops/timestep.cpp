#include "ops/timestep.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/sin.h>

#include <cmath>

#include "core/shape.h"

namespace keyflow::ops {

at::Tensor timestep_embedding(const at::Tensor& timestep, int64_t size, const SinusoidOptions& order) {
  dims<1>(timestep, "timestep");
  require(size > 0 && size % 2 == 0, ErrorKind::shape, "timestep embedding: size must be even, found ", size);
  const int64_t half = size / 2;
  const double divisor = static_cast<double>(half) - order.shift;
  require(divisor > 0, ErrorKind::shape, "timestep embedding: size ", size, " is too small for a shift of ",
          order.shift);
  const auto options = at::TensorOptions().dtype(order.angles).device(timestep.device());
  const at::Tensor frequencies = at::exp(at::arange(half, options) * -std::log(10000.0) / divisor);  // [half]
  const at::Tensor angles = at::outer(timestep.to(order.angles), frequencies);                       // [B, half]
  at::Tensor first = at::cos(angles), second = at::sin(angles);
  if (!order.cosine_first) std::swap(first, second);
  return at::cat({first, second}, 1).to(at::kFloat);  // [B, size]
}

}  // namespace keyflow::ops
