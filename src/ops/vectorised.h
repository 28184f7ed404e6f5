#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/BFloat16.h>

#include <bit>
#include <cstdint>

// Loops over rows that the compiler turns into the widest vector instructions of the machine, found at run time: the
// libraries themselves are built for the least x86-64. Written for GCC and Clang.
#define KEYFLOW_INLINE __attribute__((always_inline)) inline

namespace keyflow::ops {

/// Calls `loop`, a lambda marked __attribute__((always_inline)), compiled for the best instruction set here.
template <class Loop>
void vectorised(const Loop& loop);

/// bfloat16 by its bits; conversions the compiler can vectorise, with NaN kept.
KEYFLOW_INLINE float to_float(float x) { return x; }
KEYFLOW_INLINE float to_float(c10::BFloat16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.x) << 16); }
KEYFLOW_INLINE void store(float& slot, float x) { slot = x; }
KEYFLOW_INLINE void store(c10::BFloat16& slot, float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  slot.x = static_cast<uint16_t>(x == x ? rounded : 0x7fc0u);
}

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

#if defined(__x86_64__)
template <class Loop>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))) void run_avx512(const Loop& loop) {
  loop();
}
template <class Loop>
__attribute__((target("avx2,fma"))) void run_avx2(const Loop& loop) {
  loop();
}
template <class Loop>
void vectorised(const Loop& loop) {
  static const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx512) {
    run_avx512(loop);
  } else if (avx2) {
    run_avx2(loop);
  } else {
    loop();
  }
}
#else
template <class Loop>
void vectorised(const Loop& loop) {
  loop();
}
#endif

}  // namespace keyflow::ops
