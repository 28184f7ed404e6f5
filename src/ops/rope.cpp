#include "ops/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/polar.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>

#include "core/shape.h"

namespace keyflow::ops {
namespace {

/// positions [length] float64; return [length, pairs] complex128
at::Tensor axis_table(const at::Tensor& positions, int64_t pairs, double theta) {
  const at::Tensor steps = at::arange(pairs, positions.options()) / -static_cast<double>(pairs);  // [pairs]
  const at::Tensor angles = at::outer(positions, at::pow(theta, steps));                          // [length, pairs]
  return at::polar(at::ones_like(angles), angles);
}

at::Tensor axis_table(int64_t length, int64_t pairs, double theta) {
  return axis_table(at::arange(length, at::TensorOptions().dtype(at::kDouble)), pairs, theta);
}

at::Tensor turn(const at::Tensor& x, const at::Tensor& table) {
  const auto [B, L, N, D] = dims<4>(x, "x");
  require_shape(table, {L, D / 2}, "rope table");
  const at::Tensor pairs = at::view_as_complex(x.contiguous().view({B, L, N, D / 2, 2}));  // [B, L, N, D/2]
  return at::view_as_real(pairs * table.unsqueeze(1)).flatten(3);                          // [B, L, N, D]
}

}  // namespace

at::Tensor rope_table(const std::array<int64_t, 3>& grid, int64_t head_size, double theta) {
  require(head_size > 0 && head_size % 2 == 0, ErrorKind::shape, "rope: head size must be even, found ", head_size);
  const auto [T, H, W] = grid;
  const int64_t pairs = head_size / 2, side = pairs / 3, rest = pairs - 2 * side;
  const at::Tensor t = axis_table(T, rest, theta).view({T, 1, 1, rest}).expand({T, H, W, rest});
  const at::Tensor h = axis_table(H, side, theta).view({1, H, 1, side}).expand({T, H, W, side});
  const at::Tensor w = axis_table(W, side, theta).view({1, 1, W, side}).expand({T, H, W, side});
  return at::cat({t, h, w}, 3).view({T * H * W, pairs});  // [L, D/2]
}

at::Tensor rope_table(const at::Tensor& ids, at::IntArrayRef axis_sizes, double theta) {
  require_shape(ids, {-1, static_cast<int64_t>(axis_sizes.size())}, "rope ids");
  std::vector<at::Tensor> axes;
  for (size_t axis = 0; axis < axis_sizes.size(); ++axis) {
    const int64_t size = axis_sizes[axis];
    require(size > 0 && size % 2 == 0, ErrorKind::shape, "rope: axis ", axis, ": expected an even size, found ", size);
    axes.push_back(axis_table(ids.select(1, static_cast<int64_t>(axis)).to(at::kDouble), size / 2, theta));
  }
  return at::cat(axes, 1);  // [L, D/2]
}

at::Tensor rope(const at::Tensor& x, const at::Tensor& table) { return turn(x.to(at::kFloat), table); }

at::Tensor rope_plain(const at::Tensor& x, const at::Tensor& table) {
  return turn(x.to(at::kDouble), table).to(at::kFloat);
}

}  // namespace keyflow::ops
