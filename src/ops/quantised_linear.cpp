#include "ops/quantised_linear.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <algorithm>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow::ops {
namespace {

void require_fit(const at::Tensor& x, const Blocks& weight) {
  require(x.dim() > 0 && x.size(-1) == weight.row_values(), ErrorKind::shape, "x: expected a last dimension of ",
          weight.row_values(), " for a weight of ", shape_text(weight.shape), ", found ", shape_text(x.sizes()));
}

/// Rows for one band: whole blocks, and a multiple of sixteen where the scratch has room, as kernels like them.
int64_t band_rows(const Blocks& weight, const QuantisedLinearOptions& options) {
  const int64_t step = weight.row_step(), row_bytes = weight.row_values() * c10::elementSize(options.type);
  int64_t rows = std::max<int64_t>(options.scratch_bytes / std::max<int64_t>(row_bytes, 1), 1);
  if (rows > 16) rows -= rows % 16;
  return std::min(std::max(rows - rows % step, step), weight.rows());
}

}  // namespace

at::Tensor quantised_linear_plain(const at::Tensor& x, const Blocks& weight, const at::Tensor& bias,
                                  at::ScalarType type) {
  require_fit(x, weight);
  return at::linear(x.to(type), unpack(weight, type).flatten(1), bias);
}

at::Tensor quantised_linear(const at::Tensor& x, const Blocks& weight, const at::Tensor& bias,
                            const QuantisedLinearOptions& options) {
  require_fit(x, weight);
  if (at::GradMode::is_enabled() && x.requires_grad()) return quantised_linear_plain(x, weight, bias, options.type);
  const int64_t rows = weight.rows(), values = weight.row_values(), band = band_rows(weight, options);
  const at::Tensor tokens = x.to(options.type).reshape({-1, values});  // [M, in]
  at::Tensor out = at::empty({tokens.size(0), rows}, tokens.options());
  at::Tensor scratch = at::empty({band, values}, tokens.options());
  for (int64_t begin = 0; begin < rows; begin += band) {
    const int64_t count = std::min(band, rows - begin);
    at::Tensor unpacked = scratch.narrow(0, 0, count), part = out.narrow(1, begin, count);  // [n, in], [M, n]
    unpack_rows(weight, begin, unpacked);
    if (bias.defined()) {
      at::addmm_out(part, bias.narrow(0, begin, count), tokens, unpacked.t());
    } else {
      at::mm_out(part, tokens, unpacked.t());
    }
  }
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = rows;
  return out.view(shape);
}

}  // namespace keyflow::ops
