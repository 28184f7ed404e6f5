#pragma once
#include <c10/util/Half.h>

#include <bit>
#include <cstring>

#include "core/vectorised.h"

// One struct per format of 32 values a block: a float16 step, for the _1 formats a float16 least value, then the bits.
// Products and sums are rounded one by one, as numpy does: compile with -ffp-contract=off.
// source ggml-org/llama.cpp gguf-py/gguf/quants.py (gguf 0.19.0)
namespace keyflow {

KEYFLOW_INLINE float half_at(const uint8_t* bytes) {
  c10::Half half;
  half.x = static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
  return half;
}

struct Q8_0 {
  static constexpr int64_t kValues = 32, kBytes = 34;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block);
    for (int i = 0; i < 32; ++i) store(out[i], static_cast<float>(static_cast<int8_t>(block[2 + i])) * step);
  }
};

struct Q4_0 {
  static constexpr int64_t kValues = 32, kBytes = 18;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block);
    for (int i = 0; i < 16; ++i) store(out[i], step * static_cast<float>((block[2 + i] & 15) - 8));
    for (int i = 0; i < 16; ++i) store(out[16 + i], step * static_cast<float>((block[2 + i] >> 4) - 8));
  }
};

struct Q4_1 {
  static constexpr int64_t kValues = 32, kBytes = 20;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block), least = half_at(block + 2);
    for (int i = 0; i < 16; ++i) store(out[i], step * static_cast<float>(block[4 + i] & 15) + least);
    for (int i = 0; i < 16; ++i) store(out[16 + i], step * static_cast<float>(block[4 + i] >> 4) + least);
  }
};

/// The fifth bits of 32 values lie in one little-endian word, the lower four as in Q4_0.
KEYFLOW_INLINE void five_bits(const uint8_t* __restrict high, const uint8_t* __restrict low, int* __restrict q) {
  uint32_t word = 0;
  std::memcpy(&word, high, 4);
  for (int i = 0; i < 16; ++i) q[i] = (low[i] & 15) | static_cast<int>((word >> i & 1) << 4);
  for (int i = 0; i < 16; ++i) q[16 + i] = (low[i] >> 4) | static_cast<int>((word >> (16 + i) & 1) << 4);
}

struct Q5_0 {
  static constexpr int64_t kValues = 32, kBytes = 22;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block);
    int q[32];
    five_bits(block + 2, block + 6, q);
    for (int i = 0; i < 32; ++i) store(out[i], step * static_cast<float>(q[i] - 16));
  }
};

struct Q5_1 {
  static constexpr int64_t kValues = 32, kBytes = 24;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block), least = half_at(block + 2);
    int q[32];
    five_bits(block + 4, block + 8, q);
    for (int i = 0; i < 32; ++i) store(out[i], step * static_cast<float>(q[i]) + least);
  }
};

/// Sign, 4 bits of exponent (bias 7), 3 of mantissa; no infinity, all ones is NaN. source FP8 formats (2209.05433) §3
KEYFLOW_INLINE float from_e4m3(uint8_t x) {
  const uint32_t magnitude = x & 0x7fu, sign = (x & 0x80u) << 24;
  const uint32_t normal = (magnitude << 20) + (120u << 23);
  const auto small = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-9f);
  const uint32_t bits = magnitude == 0x7fu ? 0x7fc00000u : magnitude < 8 ? small : normal;
  return std::bit_cast<float>(bits | sign);
}

/// Sign, 5 bits of exponent (bias 15), 2 of mantissa, as IEEE has them. source FP8 formats (2209.05433) §3
KEYFLOW_INLINE float from_e5m2(uint8_t x) {
  const uint32_t magnitude = x & 0x7fu, sign = (x & 0x80u) << 24;
  const uint32_t normal = (magnitude << 21) + (112u << 23);
  const auto small = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-16f);
  const uint32_t bits = magnitude >= 0x7cu ? 0x7f800000u | (magnitude & 3u) << 21 : magnitude < 4 ? small : normal;
  return std::bit_cast<float>(bits | sign);
}

}  // namespace keyflow
