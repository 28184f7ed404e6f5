#include "ops/gelu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/gelu.h>

#include "ops/vectorised.h"

namespace keyflow::ops {
namespace {

/// tanh form of GELU as x / (1 + e^(-2u)). A NaN stays one because x is the numerator.
KEYFLOW_INLINE float gelu_of(float x) {
  float v = -1.5957691216f * (x + 0.044715f * x * x * x);
  v = v < 87 ? v : 87;
  v = v > -87 ? v : -87;
  return x / (1 + exp_bounded(v));
}

template <class T>
void gelu_values(T* x, int64_t count) {
  at::parallel_for(0, count, 16384, [&](int64_t begin, int64_t end) {
    vectorised([&]() __attribute__((always_inline)) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) store(x[i], gelu_of(to_float(x[i])));
    });
  });
}

}  // namespace

at::Tensor gelu_tanh_plain(const at::Tensor& x) { return at::gelu(x, "tanh"); }

at::Tensor gelu_tanh(at::Tensor x) {
  if (!no_gradient({x})) return gelu_tanh_plain(x);
  if (!x.is_cpu() || !x.is_contiguous() || !row_type(x.scalar_type())) return at::gelu_(x, "tanh");
  if (x.scalar_type() == at::kFloat) {
    gelu_values(x.mutable_data_ptr<float>(), x.numel());
  } else {
    gelu_values(x.mutable_data_ptr<c10::BFloat16>(), x.numel());
  }
  return x;
}

}  // namespace keyflow::ops
