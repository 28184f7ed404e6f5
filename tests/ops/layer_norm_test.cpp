#include "ops/layer_norm.h"

#include <c10/core/InferenceMode.h>

#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using tests::near;

struct Case {
  int64_t channels, gain_batch;
  at::ScalarType in, out;
};

class LayerNormTwins : public ::testing::TestWithParam<Case> {};

TEST_P(LayerNormTwins, FusedEqualsPlain) {
  const auto& [channels, gain_batch, in, out] = GetParam();
  const at::Tensor x = (randn({2, 7, channels}, 1) * 3 + 5).to(in);
  const at::Tensor gain = randn({gain_batch, 1, channels}, 2), offset = randn({gain_batch, 1, channels}, 3);
  const at::Tensor plain = ops::layer_norm_plain(x, gain, offset, 1e-6, out);
  c10::InferenceMode guard;
  const at::Tensor fused = ops::layer_norm(x, gain, offset, 1e-6, out);
  EXPECT_EQ(fused.scalar_type(), out);
  EXPECT_TRUE(near(fused, plain, out == at::kFloat ? 2e-6 : 8e-3));
  // A part of the tokens, whose batches do not lie one behind the other.
  EXPECT_TRUE(ops::layer_norm(x.narrow(1, 2, 3), gain, offset, 1e-6, out).equal(fused.narrow(1, 2, 3)));
}

INSTANTIATE_TEST_SUITE_P(Types, LayerNormTwins,
                         ::testing::Values(Case{48, 1, at::kFloat, at::kFloat}, Case{37, 2, at::kFloat, at::kFloat},
                                           Case{64, 2, at::kFloat, at::kBFloat16},
                                           Case{5, 1, at::kBFloat16, at::kFloat},
                                           Case{33, 2, at::kBFloat16, at::kBFloat16},
                                           Case{32, 1, at::kHalf, at::kHalf}));

TEST(Modulate, IsScaleAndShiftOfTheNormalised) {
  const at::Tensor x = randn({2, 5, 16}, 4), shift = randn({2, 1, 16}, 5), scale = randn({2, 1, 16}, 6);
  const at::Tensor centred = x - x.mean(-1, true);
  const at::Tensor expected = centred / (centred.square().mean(-1, true) + 1e-6).sqrt() * (1 + scale) + shift;
  EXPECT_TRUE(near(ops::modulate(x, shift, scale, 1e-6, at::kFloat), expected, 2e-6));
}

TEST(Modulate, GradientReachesAllInputs) {
  const at::Tensor x = randn({2, 5, 16}, 7).requires_grad_(), shift = randn({2, 1, 16}, 8).requires_grad_(),
                   scale = randn({2, 1, 16}, 9).requires_grad_();
  ops::modulate(x, shift, scale, 1e-6, at::kFloat).square().sum().backward();
  for (const auto& leaf : {x, shift, scale}) {
    ASSERT_TRUE(leaf.grad().defined());
    EXPECT_GT(leaf.grad().abs().max().item<float>(), 0);
  }
}

TEST(LayerNorm, KeepsNaN) {
  at::Tensor x = randn({1, 2, 16}, 10);
  x[0][1][3] = std::numeric_limits<float>::quiet_NaN();
  c10::InferenceMode guard;
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor y = ops::layer_norm(x, randn({1, 1, 16}, 11), randn({1, 1, 16}, 12), 1e-6, type);
    EXPECT_FALSE(y[0][0].isnan().any().item<bool>());
    EXPECT_TRUE(y[0][1].isnan().all().item<bool>());
  }
}

}  // namespace
}  // namespace keyflow
