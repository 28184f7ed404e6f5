#include "core/quantised/block_pack.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow {
namespace {

constexpr int kValues = 32, kHalf = 16;

/// 1 / step, nothing where that is no number.
float inverse(float step) {
  const float inverted = 1 / step;
  return step == 0 || !std::isfinite(inverted) ? 0 : inverted;
}

int rounded_down(float value, int most) { return std::clamp(static_cast<int>(value), 0, most); }

/// The value farthest from zero, the first of several.
float farthest(const float* x) {
  int at = 0;
  for (int i = 1; i < kValues; ++i) {
    if (std::fabs(x[i]) > std::fabs(x[at])) at = i;
  }
  return x[at];
}

/// Half away from zero, by the package's own steps.
float rounded(float value) {
  const float size = std::fabs(value), below = std::floor(size);
  return std::copysign(below + std::floor(2 * (size - below)), value);
}

void put_nibbles(const int* q, uint8_t* out) {
  for (int i = 0; i < kHalf; ++i) out[i] = static_cast<uint8_t>((q[i] & 15) | (q[kHalf + i] & 15) << 4);
}

void put_fifth_bits(const int* q, uint8_t* out) {
  uint32_t word = 0;
  for (int i = 0; i < kValues; ++i) word |= static_cast<uint32_t>(q[i] >> 4) << i;
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(word >> (8 * i));
}

void pack_q8_0(const float* x, uint8_t* out) {
  const float step = std::fabs(farthest(x)) / 127, scale = inverse(step);
  put_half(out, step);
  for (int i = 0; i < kValues; ++i) out[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(rounded(x[i] * scale)));
}

/// Q4_0 and Q5_0: levels from -half to half - 1, the farthest value at -half.
void pack_symmetric(const float* x, int half, uint8_t* out) {
  const float step = farthest(x) / static_cast<float>(-half), scale = inverse(step);
  int q[kValues];
  for (int i = 0; i < kValues; ++i) {
    q[i] = rounded_down(x[i] * scale + (static_cast<float>(half) + 0.5f), 2 * half - 1);
  }
  put_half(out, step);
  if (half == 16) put_fifth_bits(q, out + 2);
  put_nibbles(q, out + (half == 16 ? 6 : 2));
}

/// Q4_1 and Q5_1: levels from 0 to most above the least value.
void pack_affine(const float* x, int most, uint8_t* out) {
  const auto [least, greatest] = std::minmax_element(x, x + kValues);
  const float step = (*greatest - *least) / static_cast<float>(most), scale = inverse(step);
  int q[kValues];
  for (int i = 0; i < kValues; ++i) q[i] = rounded_down((x[i] - *least) * scale + 0.5f, most);
  put_half(out, step);
  put_half(out + 2, *least);
  if (most == 31) put_fifth_bits(q, out + 4);
  put_nibbles(q, out + (most == 31 ? 8 : 4));
}

void pack_block(BlockFormat format, const float* x, uint8_t* out) {
  switch (format) {
    case BlockFormat::q8_0:
      return pack_q8_0(x, out);
    case BlockFormat::q4_0:
      return pack_symmetric(x, 8, out);
    case BlockFormat::q5_0:
      return pack_symmetric(x, 16, out);
    case BlockFormat::q4_1:
      return pack_affine(x, 15, out);
    case BlockFormat::q5_1:
      return pack_affine(x, 31, out);
    default:
      fail(ErrorKind::internal, "blocks: nothing packs ", layout_of(format).name);
  }
}

}  // namespace

void put_half(uint8_t* bytes, float value) {
  const c10::Half half(value);
  bytes[0] = static_cast<uint8_t>(half.x);
  bytes[1] = static_cast<uint8_t>(half.x >> 8);
}

void pack_blocks(BlockFormat format, const float* values, int64_t count, uint8_t* blocks) {
  const BlockLayout& layout = layout_of(format);
  if (layout.values == 256) return pack_k_blocks(format, values, count, blocks);
  for (int64_t i = 0; i < count; ++i) pack_block(format, values + i * layout.values, blocks + i * layout.bytes);
}

Blocks pack(const at::Tensor& values, BlockFormat format) {
  const BlockLayout& layout = layout_of(format);
  require(values.numel() % layout.values == 0, ErrorKind::shape, "blocks: expected a multiple of ", layout.values,
          " values for ", layout.name, ", found ", values.numel(), " of shape ", shape_text(values.sizes()));
  const at::Tensor plain = values.to(at::kFloat).contiguous();
  Blocks blocks{format, {}, values.dim() ? values.sizes().vec() : std::vector<int64_t>{1}, {}};
  const int64_t count = plain.numel() / layout.values;
  blocks.bytes = at::empty({count * layout.bytes}, at::kByte);
  const float* in = plain.const_data_ptr<float>();
  auto* out = blocks.bytes.mutable_data_ptr<uint8_t>();
  at::parallel_for(0, count, 64, [&](int64_t begin, int64_t end) {
    pack_blocks(format, in + begin * layout.values, end - begin, out + begin * layout.bytes);
  });
  return blocks;
}

}  // namespace keyflow
