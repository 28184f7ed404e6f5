#include "core/philox.h"

#include <ATen/ops/empty.h>

#include <array>
#include <cmath>

namespace keyflow {
namespace {

using Block = std::array<uint32_t, 4>;

constexpr uint32_t high(uint64_t product) { return static_cast<uint32_t>(product >> 32); }
constexpr uint32_t low(uint64_t product) { return static_cast<uint32_t>(product); }

/// Ten rounds of Philox-4x32; between rounds the key goes on by the Weyl constants.
Block philox(Block block, uint64_t seed) {
  constexpr int kRounds = 10;
  uint32_t key_low = low(seed), key_high = high(seed);
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t first = uint64_t{0xD2511F53} * block[0], second = uint64_t{0xCD9E8D57} * block[2];
    block = {high(second) ^ block[1] ^ key_low, low(second), high(first) ^ block[3] ^ key_high, low(first)};
    key_low += 0x9E3779B9;
    key_high += 0xBB67AE85;
  }
  return block;
}

/// Box and Muller's sine half. The constants are those of CUDA's own headers, which round 2^-32 and 2 pi.
float normal(uint32_t radius, uint32_t angle) {
  constexpr float kUnit = 2.3283064e-10F, kTurn = 2.3283064e-10 * 6.2831855;
  const double u = radius * double{kUnit} + double{kUnit} / 2, v = angle * double{kTurn} + double{kTurn} / 2;
  return static_cast<float>(std::sqrt(-2 * std::log(u)) * std::sin(v));
}

}  // namespace

at::Tensor philox_randn(at::IntArrayRef shape, uint64_t seed, int64_t draw) {
  at::Tensor noise = at::empty(shape, at::kFloat);
  auto* values = noise.mutable_data_ptr<float>();
  for (int64_t i = 0; i < noise.numel(); ++i) {
    const Block block = philox({static_cast<uint32_t>(draw), 0, static_cast<uint32_t>(i), 0}, seed);
    values[i] = normal(block[0], block[1]);
  }
  return noise;
}

}  // namespace keyflow
