#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <bit>
#include <cstdint>

#include "core/vectorised.h"

namespace keyflow::ops {

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

/// 1 / (1 + e^-u)
KEYFLOW_INLINE float sigmoid(float u) {
  float v = -u;
  v = v < 87 ? v : 87;
  v = v > -87 ? v : -87;
  return 1 / (1 + exp_bounded(v));
}

/// True where no gradient is wanted of any of the tensors, so that a fused or in-place path may run.
inline bool no_gradient(std::initializer_list<at::Tensor> tensors) {
  if (!at::GradMode::is_enabled()) return true;
  for (const auto& x : tensors) {
    if (x.defined() && x.requires_grad()) return false;
  }
  return true;
}

/// The types the fused loops read and write.
inline bool row_type(at::ScalarType type) { return type == at::kFloat || type == at::kBFloat16; }

}  // namespace keyflow::ops
