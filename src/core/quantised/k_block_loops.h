#pragma once
#include "core/quantised/block_loops.h"

// One struct per format of 256 values a block, which is cut into runs of 16 or 32 with steps (and least values) of
// their own, small integers times a float16 of the block. Compile with -ffp-contract=off.
// source ggml-org/llama.cpp gguf-py/gguf/quants.py (gguf 0.19.0)
namespace keyflow {

/// The 6-bit steps and least values of the eight runs of Q4_K and Q5_K, out of 12 bytes.
struct RunScales {
  uint8_t step[8], least[8];
};
KEYFLOW_INLINE RunScales run_scales(const uint8_t* packed) {
  RunScales scales;
  for (int i = 0; i < 4; ++i) {
    scales.step[i] = packed[i] & 63;
    scales.least[i] = packed[4 + i] & 63;
    scales.step[4 + i] = static_cast<uint8_t>((packed[8 + i] & 15) | (packed[i] >> 6) << 4);
    scales.least[4 + i] = static_cast<uint8_t>((packed[8 + i] >> 4) | (packed[4 + i] >> 6) << 4);
  }
  return scales;
}

/// The 6-bit signed steps of the sixteen runs of Q3_K, out of 12 bytes.
KEYFLOW_INLINE int signed_step(const uint8_t* packed, int run) {
  const int low = run < 8 ? packed[run] & 15 : packed[run - 8] >> 4;
  return (low | (packed[8 + run % 4] >> (2 * (run / 4)) & 3) << 4) - 32;
}

struct Q2K {
  static constexpr int64_t kValues = 256, kBytes = 84;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block + 80), least = half_at(block + 82);
    for (int run = 0; run < 16; ++run) {
      const uint8_t* bits = block + 16 + run / 8 * 32 + run % 2 * 16;
      const int shift = run / 2 % 4 * 2;
      const float d = step * static_cast<float>(block[run] & 15), m = least * static_cast<float>(block[run] >> 4);
      for (int i = 0; i < 16; ++i) store(out[run * 16 + i], d * static_cast<float>(bits[i] >> shift & 3) - m);
    }
  }
};

struct Q3K {
  static constexpr int64_t kValues = 256, kBytes = 110;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block + 108);
    for (int run = 0; run < 16; ++run) {
      const uint8_t *bits = block + 32 + run / 8 * 32 + run % 2 * 16, *high = block + run % 2 * 16;
      const int shift = run / 2 % 4 * 2, plane = run / 2;
      const float d = step * static_cast<float>(signed_step(block + 96, run));
      for (int i = 0; i < 16; ++i) {
        const int q = (bits[i] >> shift & 3) + ((high[i] >> plane & 1) << 2) - 4;
        store(out[run * 16 + i], d * static_cast<float>(q));
      }
    }
  }
};

struct Q4K {
  static constexpr int64_t kValues = 256, kBytes = 144;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block), least = half_at(block + 2);
    const RunScales scales = run_scales(block + 4);
    for (int run = 0; run < 8; ++run) {
      const uint8_t* bits = block + 16 + run / 2 * 32;
      const int shift = run % 2 * 4;
      const float d = step * static_cast<float>(scales.step[run]), m = least * static_cast<float>(scales.least[run]);
      for (int i = 0; i < 32; ++i) store(out[run * 32 + i], d * static_cast<float>(bits[i] >> shift & 15) - m);
    }
  }
};

struct Q5K {
  static constexpr int64_t kValues = 256, kBytes = 176;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block), least = half_at(block + 2);
    const RunScales scales = run_scales(block + 4);
    const uint8_t* high = block + 16;
    for (int run = 0; run < 8; ++run) {
      const uint8_t* bits = block + 48 + run / 2 * 32;
      const int shift = run % 2 * 4;
      const float d = step * static_cast<float>(scales.step[run]), m = least * static_cast<float>(scales.least[run]);
      for (int i = 0; i < 32; ++i) {
        const int q = (bits[i] >> shift & 15) | (high[i] >> run & 1) << 4;
        store(out[run * 32 + i], d * static_cast<float>(q) - m);
      }
    }
  }
};

struct Q6K {
  static constexpr int64_t kValues = 256, kBytes = 210;
  template <class T>
  KEYFLOW_INLINE static void unpack(const uint8_t* __restrict block, T* __restrict out) {
    const float step = half_at(block + 208);
    for (int run = 0; run < 16; ++run) {
      const int group = run / 2, place = run % 2 * 16;  // a group has 32 values, a half of the block four groups
      const uint8_t* bits = block + group / 4 * 64 + group % 2 * 32 + place;
      const uint8_t* high = block + 128 + group / 4 * 32 + place;
      const int shift = group / 2 % 2 * 4, high_shift = group % 4 * 2;
      const float d = step * static_cast<float>(static_cast<int8_t>(block[192 + run]));
      for (int i = 0; i < 16; ++i) {
        const int q = ((bits[i] >> shift & 15) | (high[i] >> high_shift & 3) << 4) - 32;
        store(out[run * 16 + i], d * static_cast<float>(q));
      }
    }
  }
};

}  // namespace keyflow
