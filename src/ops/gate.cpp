#include "ops/gate.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>

#include "core/shape.h"
#include "ops/vectorised.h"

namespace keyflow::ops {
namespace {

template <class In>
void add_rows(at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  const int64_t L = x.size(1), C = x.size(2), batch_stride = x.stride(0), row_stride = x.stride(1);
  float* into = x.mutable_data_ptr<float>();
  const In* from = y.const_data_ptr<In>();
  const float* gates = gate.defined() ? gate.const_data_ptr<float>() : nullptr;
  const int64_t gate_stride = gate.defined() && gate.size(0) > 1 ? C : 0;
  at::parallel_for(0, x.size(0) * L, std::max<int64_t>(1, 16384 / C), [&](int64_t begin, int64_t end) {
    vectorised([&]() __attribute__((always_inline)) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t b = row / L;
        float* a = into + b * batch_stride + (row - b * L) * row_stride;
        const In* d = from + row * C;
        if (gates) {
          const float* g = gates + b * gate_stride;
#pragma omp simd
          for (int64_t c = 0; c < C; ++c) a[c] += to_float(d[c]) * g[c];
        } else {
#pragma omp simd
          for (int64_t c = 0; c < C; ++c) a[c] += to_float(d[c]);
        }
      }
    });
  });
}

}  // namespace

at::Tensor add_gated_plain(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  return gate.defined() ? x + y.to(at::kFloat) * gate : x + y.to(at::kFloat);
}

at::Tensor add_gated(at::Tensor x, const at::Tensor& y, const at::Tensor& gate) {
  dims<3>(x, "x");
  require_shape(y, x.sizes(), "y");
  if (!no_gradient({x, y, gate})) return add_gated_plain(x, y, gate);
  const bool fused = x.is_cpu() && x.scalar_type() == at::kFloat && x.stride(2) == 1 && row_type(y.scalar_type());
  if (!fused) {
    x.add_(gate.defined() ? y.to(at::kFloat) * gate : y);
  } else if (y.scalar_type() == at::kFloat) {
    add_rows<float>(x, y.contiguous(), gate.defined() ? gate.contiguous() : gate);
  } else {
    add_rows<c10::BFloat16>(x, y.contiguous(), gate.defined() ? gate.contiguous() : gate);
  }
  return x;
}

}  // namespace keyflow::ops
