#include <c10/util/Half.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/quantised/block_fit.h"
#include "core/quantised/block_pack.h"

namespace keyflow {
namespace {

constexpr int kValues = 256;

float as_half(float value) { return c10::Half(value); }

/// A run's step and depth as small integers times two numbers of the block, and the levels that follow.
struct AffineBlock {
  float step = 0, depth = 0;  ///< as float16 holds them
  std::array<int, 16> steps{}, depths{};
  std::array<int, kValues> q{};
};

/// most  the greatest level; scale_most  the greatest integer for a step or depth
AffineBlock fit_block(const float* x, int run_values, int most, int scale_most, int tries) {
  const int runs = kValues / run_values;
  std::array<AffineFit, 16> fits;
  float step = 0, depth = 0;
  for (int r = 0; r < runs; ++r) {
    fits[r] = fit_affine(x + r * run_values, run_values, most, tries);
    step = std::max(step, fits[r].step);
    depth = std::max(depth, fits[r].depth);
  }
  const auto top = static_cast<float>(scale_most);
  AffineBlock block{as_half(step / top), as_half(depth / top), {}, {}, {}};
  for (int r = 0; r < runs; ++r) {
    block.steps[r] = block.step > 0 ? rounded_within(fits[r].step / block.step, 0, scale_most) : 0;
    block.depths[r] = block.depth > 0 ? rounded_within(fits[r].depth / block.depth, 0, scale_most) : 0;
    const float d = block.step * static_cast<float>(block.steps[r]);
    const float m = block.depth * static_cast<float>(block.depths[r]);
    for (int i = r * run_values; i < (r + 1) * run_values; ++i) {
      block.q[i] = d > 0 ? rounded_within((x[i] + m) / d, 0, most) : 0;
    }
  }
  return block;
}

/// The same without depths: steps are signed integers, levels lie in [-half, half - 1].
struct SymmetricBlock {
  float step = 0;
  std::array<int, 16> steps{};
  std::array<int, kValues> q{};
};

SymmetricBlock fit_symmetric_block(const float* x, int half, int scale_half) {
  constexpr int kRun = 16;
  std::array<float, kValues / kRun> fits;
  float farthest = 0;
  for (int r = 0; r < kValues / kRun; ++r) {
    fits[r] = fit_symmetric(x + r * kRun, kRun, half);
    if (std::fabs(fits[r]) > std::fabs(farthest)) farthest = fits[r];
  }
  SymmetricBlock block;
  block.step = as_half(farthest / static_cast<float>(-scale_half));
  if (block.step == 0) return block;
  for (int r = 0; r < kValues / kRun; ++r) {
    block.steps[r] = rounded_within(fits[r] / block.step, -scale_half, scale_half - 1);
    const float d = block.step * static_cast<float>(block.steps[r]);
    for (int i = r * kRun; i < (r + 1) * kRun; ++i) {
      block.q[i] = d != 0 ? rounded_within(x[i] / d, -half, half - 1) : 0;
    }
  }
  return block;
}

/// Two bits a value: four runs of 32 share the bytes of a half block.
void put_pairs(const std::array<int, kValues>& q, uint8_t* out) {
  for (int i = 0; i < kValues; ++i) out[i / 128 * 32 + i % 32] |= static_cast<uint8_t>((q[i] & 3) << (i / 32 % 4 * 2));
}

/// Four bits a value: two runs of 32 share the bytes of a quarter block.
void put_nibbles(const std::array<int, kValues>& q, uint8_t* out) {
  for (int i = 0; i < kValues; ++i) out[i / 64 * 32 + i % 32] |= static_cast<uint8_t>((q[i] & 15) << (i / 32 % 2 * 4));
}

void put_run_scales(const AffineBlock& block, uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    out[i] = static_cast<uint8_t>(block.steps[i] | (block.steps[4 + i] >> 4) << 6);
    out[4 + i] = static_cast<uint8_t>(block.depths[i] | (block.depths[4 + i] >> 4) << 6);
    out[8 + i] = static_cast<uint8_t>((block.steps[4 + i] & 15) | (block.depths[4 + i] & 15) << 4);
  }
}

void pack_q2_k(const float* x, uint8_t* out) {
  const AffineBlock block = fit_block(x, 16, 3, 15, 15);
  for (int r = 0; r < 16; ++r) out[r] = static_cast<uint8_t>(block.steps[r] | block.depths[r] << 4);
  put_pairs(block.q, out + 16);
  put_half(out + 80, block.step);
  put_half(out + 82, block.depth);
}

void pack_q3_k(const float* x, uint8_t* out) {
  const SymmetricBlock block = fit_symmetric_block(x, 4, 32);
  std::array<int, kValues> levels;
  for (int i = 0; i < kValues; ++i) {
    levels[i] = block.q[i] + 4;
    out[i % 32] |= static_cast<uint8_t>((levels[i] >> 2) << (i / 32));
  }
  put_pairs(levels, out + 32);
  for (int r = 0; r < 16; ++r) {
    const int scale = block.steps[r] + 32;
    out[96 + r % 8] |= static_cast<uint8_t>((scale & 15) << (r / 8 * 4));
    out[104 + r % 4] |= static_cast<uint8_t>((scale >> 4) << (r / 4 * 2));
  }
  put_half(out + 108, block.step);
}

void pack_q4_k(const float* x, uint8_t* out) {
  const AffineBlock block = fit_block(x, 32, 15, 63, 20);
  put_half(out, block.step);
  put_half(out + 2, block.depth);
  put_run_scales(block, out + 4);
  put_nibbles(block.q, out + 16);
}

void pack_q5_k(const float* x, uint8_t* out) {
  const AffineBlock block = fit_block(x, 32, 31, 63, 15);
  put_half(out, block.step);
  put_half(out + 2, block.depth);
  put_run_scales(block, out + 4);
  for (int i = 0; i < kValues; ++i) out[16 + i % 32] |= static_cast<uint8_t>((block.q[i] >> 4) << (i / 32));
  put_nibbles(block.q, out + 48);
}

void pack_q6_k(const float* x, uint8_t* out) {
  const SymmetricBlock block = fit_symmetric_block(x, 32, 128);
  for (int i = 0; i < kValues; ++i) {
    const int level = block.q[i] + 32, group = i / 32;
    out[group / 4 * 64 + i % 64] |= static_cast<uint8_t>((level & 15) << (group / 2 % 2 * 4));
    out[128 + group / 4 * 32 + i % 32] |= static_cast<uint8_t>((level >> 4) << (group % 4 * 2));
  }
  for (int r = 0; r < 16; ++r) out[192 + r] = static_cast<uint8_t>(static_cast<int8_t>(block.steps[r]));
  put_half(out + 208, block.step);
}

void pack_block(BlockFormat format, const float* x, uint8_t* out) {
  switch (format) {
    case BlockFormat::q2_k:
      return pack_q2_k(x, out);
    case BlockFormat::q3_k:
      return pack_q3_k(x, out);
    case BlockFormat::q4_k:
      return pack_q4_k(x, out);
    case BlockFormat::q5_k:
      return pack_q5_k(x, out);
    case BlockFormat::q6_k:
      return pack_q6_k(x, out);
    default:
      fail(ErrorKind::internal, "blocks: nothing packs ", layout_of(format).name);
  }
}

}  // namespace

void pack_k_blocks(BlockFormat format, const float* values, int64_t count, uint8_t* blocks) {
  const auto bytes = static_cast<size_t>(layout_of(format).bytes);
  std::memset(blocks, 0, static_cast<size_t>(count) * bytes);
  for (int64_t i = 0; i < count; ++i) {
    pack_block(format, values + i * kValues, blocks + static_cast<size_t>(i) * bytes);
  }
}

}  // namespace keyflow
