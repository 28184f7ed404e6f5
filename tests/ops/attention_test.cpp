#include "ops/attention.h"

#include <ATen/ops/arange.h>

#include <limits>

#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using tests::near;

struct Inputs {
  at::Tensor q = randn({2, 3, 7, 10}, 1), k = randn({2, 3, 5, 10}, 2), v = randn({2, 3, 5, 10}, 3);
};

TEST(Attention, EqualsPlainTwin) {
  const Inputs x;
  EXPECT_TRUE(near(ops::attention(x.q, x.k, x.v), ops::attention_plain(x.q, x.k, x.v), 1e-6));
}

TEST(Attention, EqualsPlainTwinWithScaleAndBias) {
  const Inputs x;
  const ops::AttentionOptions options{.scale = 1.0, .bias = randn({1, 3, 7, 5}, 4)};
  EXPECT_TRUE(near(ops::attention(x.q, x.k, x.v, options), ops::attention_plain(x.q, x.k, x.v, options), 1e-6));
  EXPECT_FALSE(near(ops::attention(x.q, x.k, x.v, options), ops::attention(x.q, x.k, x.v), 1e-2));
}

TEST(Attention, HalfTypeIsNearAndKeepsItsType) {
  const Inputs x;
  const at::Tensor y = ops::attention(x.q, x.k, x.v, {.type = at::kBFloat16});
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(near(y, ops::attention(x.q, x.k, x.v), 2e-2));
}

TEST(Attention, OneKeyGivesItsValue) {
  const Inputs x;
  const at::Tensor k = x.k.narrow(2, 0, 1), v = x.v.narrow(2, 0, 1);
  EXPECT_TRUE(near(ops::attention(x.q, k, v), v.expand({2, 3, 7, 10}), 1e-6));
}

TEST(Attention, GradientReachesAllInputs) {
  const Inputs x;
  const at::Tensor q = x.q.clone().requires_grad_(), k = x.k.clone().requires_grad_(), v = x.v.clone().requires_grad_();
  ops::attention(q, k, v).square().sum().backward();
  const at::Tensor q2 = x.q.clone().requires_grad_(), k2 = x.k.clone().requires_grad_(),
                   v2 = x.v.clone().requires_grad_();
  ops::attention_plain(q2, k2, v2).square().sum().backward();
  EXPECT_TRUE(near(q.grad(), q2.grad(), 1e-5));
  EXPECT_TRUE(near(k.grad(), k2.grad(), 1e-5));
  EXPECT_TRUE(near(v.grad(), v2.grad(), 1e-5));
}

TEST(Attention, HeadsSplitAndMerge) {
  const at::Tensor x = at::arange(2 * 3 * 8).view({2, 3, 8});
  const at::Tensor heads = ops::split_heads(x, 4);
  EXPECT_EQ(shape_text(heads.sizes()), "[2, 4, 3, 2]");
  EXPECT_EQ(heads[1][2][0][1].item<int64_t>(), x[1][0][5].item<int64_t>());
  EXPECT_TRUE(ops::merge_heads(heads).equal(x));
  EXPECT_THROW(ops::split_heads(x, 3), Error);
}

TEST(Attention, NaNNeverVanishes) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const double bad : {nan, infinity}) {
      Inputs query, keys;
      query.q[1][2][3][4] = bad;
      keys.k.select(3, 4).fill_(bad);
      EXPECT_TRUE(ops::attention(query.q, query.k, query.v, {.type = type}).isnan().any().item<bool>());
      EXPECT_TRUE(ops::attention(keys.q, keys.k, keys.v, {.type = type}).isnan().any().item<bool>());
    }
    const Inputs good;
    EXPECT_TRUE(ops::attention(good.q * 1e3, good.k, good.v, {.type = type}).isfinite().all().item<bool>());
  }
}

TEST(Attention, RefusesShapesThatDisagree) {
  const Inputs x;
  EXPECT_THROW(ops::attention(x.q, x.k, x.v.narrow(2, 0, 4)), Error);
  EXPECT_THROW(ops::attention(x.q, x.k.narrow(3, 0, 8), x.v), Error);
}

}  // namespace
}  // namespace keyflow
