#include "bench/op_meter.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <gtest/gtest.h>

#include "bench/random_source.h"
#include "core/random.h"

namespace keyflow::bench {
namespace {

TEST(OpMeter, CountsEachKindOnce) {
  const at::Tensor x = randn({3, 5, 8}, 1), w = randn({7, 8}, 2);
  EXPECT_DOUBLE_EQ(count_operators([&] { at::linear(x, w); }).flop, 2.0 * 3 * 5 * 8 * 7);
  const at::Tensor picture = randn({2, 4, 9, 6}, 3), kernel = randn({5, 4, 3, 3}, 4);
  EXPECT_DOUBLE_EQ(count_operators([&] { at::conv2d(picture, kernel, {}, 1, 1); }).flop, 2.0 * 2 * 5 * 9 * 6 * 4 * 9);
  const at::Tensor q = randn({1, 2, 10, 16}, 5), k = randn({1, 2, 12, 16}, 6);
  EXPECT_DOUBLE_EQ(count_operators([&] { at::scaled_dot_product_attention(q, k, k); }).flop, 4.0 * 2 * 10 * 12 * 16);
}

TEST(OpMeter, SharesTheTime) {
  const at::Tensor x = randn({256, 512}, 1), w = randn({512, 512}, 2);
  const OpCount count = count_operators([&] {
    for (int i = 0; i < 20; ++i) at::linear(x, w);
  });
  EXPECT_GT(count.matmul_s, 0);
  EXPECT_EQ(count.conv_s, 0);
  EXPECT_GE(count.total_s, count.matmul_s);
  EXPECT_GE(count.outside(), 0);
  EXPECT_LT(count.outside(), 1);
}

TEST(OpMeter, LeavesNothingBehind) {
  const at::Tensor x = randn({4, 4}, 1);
  count_operators([&] { at::linear(x, x); });
  EXPECT_EQ(count_operators([] {}).flop, 0);
}

TEST(RandomSource, FillsTensorsOfAnySizeWithFiniteValues) {
  RandomSource source;
  const at::Tensor large = source.get("a", {3, 1 << 21}, weights::Init::fan_in, 64);
  EXPECT_EQ(large.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(large.isfinite().all().item<bool>());
  EXPECT_GT(large.abs().max().item<double>(), 0);
  EXPECT_EQ(source.get("g", {5}, weights::Init::ones, 0).sum().item<double>(), 5);
}

}  // namespace
}  // namespace keyflow::bench
