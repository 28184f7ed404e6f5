#include "ops/gelu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/gelu.h>

#include "ops/vectorised.h"

namespace keyflow::ops {
namespace {

/// e^x for |x| <= 87 to 2 units in the last place: 2^n times the series of degree 6 on [-ln2/2, ln2/2]. The library's
/// exp is a call per element, which stops the loop from being vectorised.
KEYFLOW_INLINE float exp_bounded(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  const float series = 1 + r * (1 + r * (0.5f + r * (1.f / 6 + r * (1.f / 24 + r * (1.f / 120 + r * (1.f / 720))))));
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound);
  return series * std::bit_cast<float>((exponent + 127) << 23);
}

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
