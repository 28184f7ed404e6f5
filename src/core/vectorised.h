#pragma once
#include <c10/util/BFloat16.h>

#include <bit>
#include <cstdint>

// Loops over rows that the compiler turns into the widest vector instructions of the machine, found at run time: the
// libraries themselves are built for the least x86-64. Written for GCC and Clang.
#define KEYFLOW_INLINE __attribute__((always_inline)) inline

namespace keyflow {

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

}  // namespace keyflow
