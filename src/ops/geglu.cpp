#include "ops/geglu.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>

#include "core/shape.h"
#include "ops/vectorised.h"

namespace keyflow::ops {
namespace {

/// g · Φ(g). A NaN stays one because every factor holds it.
KEYFLOW_INLINE float gelu_of(float g) {
  const float z = 0.70710678f * (g < 0 ? -g : g), t = 1 / (1 + 0.3275911f * z);
  float square = z * z;
  square = square < 87 ? square : 87;
  const float series =
      t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float tail = 0.5f * series * exp_bounded(-square);
  return g * (g < 0 ? tail : 1 - tail);
}

template <class T>
KEYFLOW_INLINE void geglu_row(const T* __restrict x, T* __restrict y, int64_t F) {
#pragma omp simd
  for (int64_t i = 0; i < F; ++i) store(y[i], to_float(x[i]) * gelu_of(to_float(x[F + i])));
}

template <class T>
void geglu_rows(const at::Tensor& x, at::Tensor& y) {
  const int64_t F = y.size(-1);
  const T* in = x.const_data_ptr<T>();
  T* out = y.mutable_data_ptr<T>();
  at::parallel_for(0, y.numel() / F, std::max<int64_t>(1, 16384 / F), [&](int64_t begin, int64_t end) {
    vectorised([&]() __attribute__((always_inline)) {
      for (int64_t row = begin; row < end; ++row) geglu_row(in + row * 2 * F, out + row * F, F);
    });
  });
}

int64_t half_of(const at::Tensor& x) {
  const bool even = x.dim() > 0 && x.size(-1) > 0 && x.size(-1) % 2 == 0;
  require(even, ErrorKind::shape, "x: expected an even last dimension, found ", shape_text(x.sizes()));
  return x.size(-1) / 2;
}

}  // namespace

at::Tensor geglu_plain(const at::Tensor& x) {
  const int64_t F = half_of(x);
  return x.narrow(-1, 0, F) * at::gelu(x.narrow(-1, F, F));
}

at::Tensor geglu(const at::Tensor& x) {
  if (!x.is_cpu() || !row_type(x.scalar_type()) || !no_gradient({x})) return geglu_plain(x);
  std::vector<int64_t> shape = x.sizes().vec();
  const int64_t F = half_of(x);
  shape.back() = F;
  at::Tensor y = at::empty(shape, x.options());
  const at::Tensor rows = x.contiguous();
  if (x.scalar_type() == at::kFloat) {
    geglu_rows<float>(rows, y);
  } else {
    geglu_rows<c10::BFloat16>(rows, y);
  }
  return y;
}

}  // namespace keyflow::ops
