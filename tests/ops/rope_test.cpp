#include "ops/rope.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/view_as_real.h>

#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using tests::near;

TEST(Rope, TableHasTheAnglesOfEachAxis) {
  const at::Tensor table = at::view_as_real(ops::rope_table({2, 3, 4}, 128));  // [L, D/2, 2]
  ASSERT_EQ(shape_text(table.sizes()), "[24, 64, 2]");
  const int64_t t = 1, h = 2, w = 3, token = (t * 3 + h) * 4 + w;
  const auto cosine = [&](int64_t pair) { return table[token][pair][0].item<double>(); };
  EXPECT_DOUBLE_EQ(cosine(0), std::cos(1.0));
  EXPECT_NEAR(cosine(21), std::cos(std::pow(10000.0, -2.0 * 21 / 44)), 1e-15);
  EXPECT_DOUBLE_EQ(cosine(22), std::cos(2.0));
  EXPECT_NEAR(cosine(23), std::cos(2 * std::pow(10000.0, -2.0 / 42)), 1e-15);
  EXPECT_DOUBLE_EQ(cosine(43), std::cos(3.0));
  EXPECT_NEAR(table[token][63][1].item<double>(), std::sin(3 * std::pow(10000.0, -40.0 / 42)), 1e-15);
}

TEST(Rope, SplitsSmallHeads) {
  // 5 pairs: 3 for T, 1 each for H and W.
  const at::Tensor table = at::view_as_real(ops::rope_table({1, 2, 2}, 10));
  ASSERT_EQ(shape_text(table.sizes()), "[4, 5, 2]");
  EXPECT_DOUBLE_EQ(table[2][2][0].item<double>(), 1.0);
  EXPECT_DOUBLE_EQ(table[2][3][0].item<double>(), std::cos(1.0));
  EXPECT_DOUBLE_EQ(table[2][4][0].item<double>(), 1.0);
}

TEST(Rope, TableOfIdsEqualsThatOfTheGridTheyCount) {
  std::vector<int64_t> ids;
  for (int64_t t = 0; t < 2; ++t) {
    for (int64_t h = 0; h < 3; ++h) {
      for (int64_t w = 0; w < 4; ++w) ids.insert(ids.end(), {t, h, w});
    }
  }
  const at::Tensor table = ops::rope_table(at::tensor(ids).view({24, 3}), {8, 6, 6});
  EXPECT_TRUE(table.equal(ops::rope_table({2, 3, 4}, 20)));
}

TEST(Rope, TableOfIdsTakesAnyOrderAndAnyAxes) {
  const at::Tensor table = at::view_as_real(ops::rope_table(at::tensor({0L, 7L, 3L, 0L}).view({2, 2}), {2, 4}));
  ASSERT_EQ(shape_text(table.sizes()), "[2, 3, 2]");
  EXPECT_DOUBLE_EQ(table[0][0][0].item<double>(), 1.0);
  EXPECT_DOUBLE_EQ(table[0][1][1].item<double>(), std::sin(7.0));
  EXPECT_NEAR(table[0][2][1].item<double>(), std::sin(0.07), 1e-15);
  EXPECT_DOUBLE_EQ(table[1][0][0].item<double>(), std::cos(3.0));
  EXPECT_THROW(ops::rope_table(at::tensor({0L, 7L}).view({1, 2}), {2, 4, 2}), Error);
  EXPECT_THROW(ops::rope_table(at::tensor({0L, 7L}).view({1, 2}), {2, 3}), Error);
}

TEST(Rope, EqualsPlainTwin) {
  const at::Tensor x = randn({2, 2 * 3 * 4, 3, 10}, 5), table = ops::rope_table({2, 3, 4}, 10);
  EXPECT_TRUE(near(ops::rope(x, table.to(at::kComplexFloat)), ops::rope_plain(x, table), 2e-7));
}

TEST(Rope, TurnsInterleavedPairs) {
  const at::Tensor x = randn({1, 2, 1, 2}, 6), table = ops::rope_table({2, 1, 1}, 2);
  const double a = x[0][1][0][0].item<double>(), b = x[0][1][0][1].item<double>();
  const at::Tensor y = ops::rope_plain(x, table);
  EXPECT_NEAR(y[0][1][0][0].item<double>(), a * std::cos(1.0) - b * std::sin(1.0), 1e-6);
  EXPECT_NEAR(y[0][1][0][1].item<double>(), a * std::sin(1.0) + b * std::cos(1.0), 1e-6);
  EXPECT_TRUE(y.select(1, 0).equal(x.select(1, 0)));
}

TEST(Rope, GradientIsTheInverseTurn) {
  const at::Tensor x = randn({1, 6, 2, 4}, 7).requires_grad_(),
                   table = ops::rope_table({1, 2, 3}, 4).to(at::kComplexFloat);
  (ops::rope(x, table).square().sum() / 2).backward();
  EXPECT_TRUE(near(x.grad(), x, 1e-6));
}

TEST(Rope, RefusesOddHeadsAndOtherLengths) {
  EXPECT_THROW(ops::rope_table({1, 2, 3}, 5), Error);
  EXPECT_THROW(ops::rope(randn({1, 5, 2, 4}, 8), ops::rope_table({1, 2, 3}, 4).to(at::kComplexFloat)), Error);
}

}  // namespace
}  // namespace keyflow
