#include "ops/qk_norm.h"

#include <c10/core/InferenceMode.h>

#include "core/random.h"
#include "ops/rope.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using tests::near;

struct Case {
  int64_t heads, head_size;
  at::ScalarType in, out;
};

class QkNormTwins : public ::testing::TestWithParam<Case> {};

TEST_P(QkNormTwins, FusedEqualsPlain) {
  const auto& [heads, size, in, out] = GetParam();
  const at::Tensor x = (randn({2, 24, heads * size}, 1) * 2).to(in);
  for (const auto& weight : {randn({heads * size}, 2), randn({size}, 2)}) {
    for (const auto& table : {at::Tensor(), ops::rope_table({2, 3, 4}, size).to(at::kComplexFloat)}) {
      const at::Tensor plain = ops::qk_norm_plain(x, weight, table, heads, 1e-6, out);
      c10::InferenceMode guard;
      const at::Tensor fused = ops::qk_norm(x, weight, table, heads, 1e-6, out);
      EXPECT_EQ(fused.scalar_type(), out);
      ASSERT_EQ(shape_text(fused.sizes()), shape_text({2, heads, 24, size}));
      EXPECT_TRUE(near(fused, plain, out == at::kFloat ? 2e-6 : 8e-3));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, QkNormTwins,
                         ::testing::Values(Case{3, 128, at::kFloat, at::kFloat}, Case{3, 10, at::kFloat, at::kFloat},
                                           Case{2, 32, at::kBFloat16, at::kFloat},
                                           Case{2, 6, at::kFloat, at::kBFloat16},
                                           Case{2, 16, at::kBFloat16, at::kBFloat16},
                                           Case{2, 16, at::kHalf, at::kHalf}));

TEST(QkNorm, NormalisesOverAllHeadsTogether) {
  const at::Tensor x = randn({2, 6, 12}, 3), weight = randn({12}, 4);
  const at::Tensor expected = x / (x.square().mean(-1, true) + 1e-6).sqrt() * weight;
  EXPECT_TRUE(near(ops::qk_norm(x, weight, {}, 3, 1e-6, at::kFloat).transpose(1, 2).flatten(2), expected, 2e-6));
}

TEST(QkNorm, AWeightOfOneHeadNormalisesEachByItself) {
  const at::Tensor x = randn({2, 6, 12}, 3), weight = randn({4}, 4), heads = x.view({2, 6, 3, 4});
  const at::Tensor expected = heads / (heads.square().mean(-1, true) + 1e-6).sqrt() * weight;
  EXPECT_TRUE(near(ops::qk_norm(x, weight, {}, 3, 1e-6, at::kFloat).transpose(1, 2), expected, 2e-6));
}

TEST(QkNorm, GradientReachesWeightAndInput) {
  const at::Tensor x = randn({2, 6, 12}, 5).requires_grad_(), weight = randn({12}, 6).requires_grad_();
  const at::Tensor table = ops::rope_table({1, 2, 3}, 4).to(at::kComplexFloat);
  (ops::qk_norm(x, weight, table, 3, 1e-6, at::kFloat) * randn({2, 3, 6, 4}, 7)).sum().backward();
  for (const auto& leaf : {x, weight}) {
    ASSERT_TRUE(leaf.grad().defined());
    EXPECT_GT(leaf.grad().abs().max().item<float>(), 0);
  }
}

TEST(QkNorm, RefusesATableOrAWeightOfAnotherLength) {
  const at::Tensor table = ops::rope_table({1, 2, 2}, 4).to(at::kComplexFloat);
  EXPECT_THROW(ops::qk_norm(randn({1, 6, 12}, 8), randn({12}, 9), table, 3, 1e-6, at::kFloat), Error);
  EXPECT_THROW(ops::qk_norm(randn({1, 6, 12}, 8), randn({6}, 9), {}, 3, 1e-6, at::kFloat), Error);
}

}  // namespace
}  // namespace keyflow
