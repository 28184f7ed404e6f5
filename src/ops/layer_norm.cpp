#include "ops/layer_norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>

#include "core/shape.h"
#include "ops/vectorised.h"

namespace keyflow::ops {
namespace {

template <class In, class Out>
KEYFLOW_INLINE void norm_row(const In* x, const float* gain, const float* offset, Out* y, int64_t C, float eps) {
  float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < C; ++c) sum += to_float(x[c]);
  const float mean = sum / static_cast<float>(C);
#pragma omp simd reduction(+ : squares)
  for (int64_t c = 0; c < C; ++c) {
    const float d = to_float(x[c]) - mean;
    squares += d * d;
  }
  const float rstd = 1 / std::sqrt(squares / static_cast<float>(C) + eps);
#pragma omp simd
  for (int64_t c = 0; c < C; ++c) store(y[c], (to_float(x[c]) - mean) * rstd * gain[c] + offset[c]);
}

/// x [B, L, C] with dense rows; gain and offset [B or 1, C]
template <class In, class Out>
void norm_rows(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& offset, at::Tensor& y, float eps) {
  const int64_t L = x.size(1), C = x.size(2), batch_stride = x.stride(0), row_stride = x.stride(1);
  const In* in = x.const_data_ptr<In>();
  const float *gains = gain.const_data_ptr<float>(), *offsets = offset.const_data_ptr<float>();
  const int64_t gain_stride = gain.size(0) > 1 ? C : 0, offset_stride = offset.size(0) > 1 ? C : 0;
  Out* out = y.mutable_data_ptr<Out>();
  at::parallel_for(0, x.size(0) * L, std::max<int64_t>(1, 16384 / C), [&](int64_t begin, int64_t end) {
    vectorised([&]() __attribute__((always_inline)) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t b = row / L;
        norm_row(in + b * batch_stride + (row - b * L) * row_stride, gains + b * gain_stride,
                 offsets + b * offset_stride, out + row * C, C, eps);
      }
    });
  });
}

}  // namespace

at::Tensor layer_norm_plain(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& offset, double eps,
                            at::ScalarType type) {
  return (at::layer_norm(x.to(at::kFloat), {x.size(-1)}, {}, {}, eps) * gain + offset).to(type);
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& offset, double eps,
                      at::ScalarType type) {
  const auto [B, L, C] = dims<3>(x, "x");
  const bool fused = x.is_cpu() && row_type(x.scalar_type()) && row_type(type) && no_gradient({x, gain, offset});
  if (!fused) return layer_norm_plain(x, gain, offset, eps, type);
  const at::Tensor rows = x.stride(2) == 1 ? x : x.contiguous(), g = gain.contiguous(), o = offset.contiguous();
  at::Tensor y = at::empty({B, L, C}, x.options().dtype(type));
  const bool half_in = x.scalar_type() == at::kBFloat16, half_out = type == at::kBFloat16;
  const auto run = half_in ? (half_out ? norm_rows<c10::BFloat16, c10::BFloat16> : norm_rows<c10::BFloat16, float>)
                           : (half_out ? norm_rows<float, c10::BFloat16> : norm_rows<float, float>);
  run(rows, g, o, y, static_cast<float>(eps));
  return y;
}

at::Tensor modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale, double eps,
                    at::ScalarType type) {
  return layer_norm(x, scale + 1, shift, eps, type);
}

}  // namespace keyflow::ops
