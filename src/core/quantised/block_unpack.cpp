#include "core/quantised/block_unpack.h"

#include "core/error.h"
#include "core/quantised/block_loops.h"
#include "core/quantised/k_block_loops.h"

namespace keyflow {
namespace {

template <class Format, class T>
void run(const uint8_t* blocks, int64_t count, T* out) {
  vectorised([&]() __attribute__((always_inline)) {
    for (int64_t i = 0; i < count; ++i) Format::unpack(blocks + i * Format::kBytes, out + i * Format::kValues);
  });
}

template <class T>
void run_format(BlockFormat format, const uint8_t* blocks, int64_t count, T* out) {
  switch (format) {
    case BlockFormat::q4_0:
      return run<Q4_0>(blocks, count, out);
    case BlockFormat::q4_1:
      return run<Q4_1>(blocks, count, out);
    case BlockFormat::q5_0:
      return run<Q5_0>(blocks, count, out);
    case BlockFormat::q5_1:
      return run<Q5_1>(blocks, count, out);
    case BlockFormat::q8_0:
      return run<Q8_0>(blocks, count, out);
    case BlockFormat::q2_k:
      return run<Q2K>(blocks, count, out);
    case BlockFormat::q3_k:
      return run<Q3K>(blocks, count, out);
    case BlockFormat::q4_k:
      return run<Q4K>(blocks, count, out);
    case BlockFormat::q5_k:
      return run<Q5K>(blocks, count, out);
    case BlockFormat::q6_k:
      return run<Q6K>(blocks, count, out);
    default:
      fail(ErrorKind::internal, "blocks: format ", static_cast<int>(format), " has no blocks of several values");
  }
}

template <class T>
void run_floats(BlockFormat format, const uint8_t* values, int64_t count, float factor, T* out) {
  if (format == BlockFormat::f8_e4m3) {
    vectorised([&]() __attribute__((always_inline)) {
      for (int64_t i = 0; i < count; ++i) store(out[i], from_e4m3(values[i]) * factor);
    });
  } else {
    vectorised([&]() __attribute__((always_inline)) {
      for (int64_t i = 0; i < count; ++i) store(out[i], from_e5m2(values[i]) * factor);
    });
  }
}

}  // namespace

void unpack_blocks(BlockFormat format, const uint8_t* blocks, int64_t count, float* out) {
  run_format(format, blocks, count, out);
}
void unpack_blocks(BlockFormat format, const uint8_t* blocks, int64_t count, c10::BFloat16* out) {
  run_format(format, blocks, count, out);
}
void unpack_floats(BlockFormat format, const uint8_t* values, int64_t count, float factor, float* out) {
  run_floats(format, values, count, factor, out);
}
void unpack_floats(BlockFormat format, const uint8_t* values, int64_t count, float factor, c10::BFloat16* out) {
  run_floats(format, values, count, factor, out);
}

}  // namespace keyflow
