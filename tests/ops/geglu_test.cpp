#include "ops/geglu.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones_like.h>

#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow::ops {
namespace {

using tests::near;

TEST(Geglu, EqualsItsPlainTwin) {
  const at::NoGradGuard no_grad;
  for (const int64_t F : {1, 3, 40, 129}) {
    const at::Tensor x = randn({2, 7, 2 * F}, 1) * 3;
    EXPECT_TRUE(near(geglu(x), geglu_plain(x), 5e-7)) << F;
    EXPECT_TRUE(near(geglu(x.to(at::kBFloat16)), geglu_plain(x.to(at::kBFloat16).to(at::kFloat)), 5e-3)) << F;
    EXPECT_EQ(geglu(x.to(at::kBFloat16)).scalar_type(), at::kBFloat16);
  }
  const at::Tensor strided = randn({2, 12, 7}, 2).transpose(1, 2);
  EXPECT_TRUE(near(geglu(strided), geglu_plain(strided), 5e-7));
}

TEST(Geglu, HoldsOverTheWholeRangeOfTheGate) {
  const at::NoGradGuard no_grad;
  const at::Tensor gate = at::linspace(-20, 20, 4001), one = at::ones_like(gate);
  const at::Tensor x = at::cat({one, gate}).unsqueeze(0), difference = geglu(x) - geglu_plain(x);
  EXPECT_LT(difference.abs().max().item<float>(), 1e-6);
  const at::Tensor far = at::cat({one, gate * 1e30}).unsqueeze(0);
  EXPECT_TRUE(near(geglu(far), geglu_plain(far), 1e-6));
  const at::Tensor nan = at::full_like(gate, std::nan(""));
  EXPECT_TRUE(geglu(at::cat({one, nan}).unsqueeze(0)).isnan().all().item<bool>());
  EXPECT_TRUE(geglu(at::cat({nan, one}).unsqueeze(0)).isnan().all().item<bool>());
}

TEST(Geglu, GradientReachesBothHalves) {
  at::Tensor x = randn({3, 8}, 1).requires_grad_();
  geglu(x).square().sum().backward();
  EXPECT_GT(x.grad().abs().min().item<float>(), 0);
}

TEST(Geglu, RefusesAnOddWidth) {
  EXPECT_THROW(geglu(randn({2, 5}, 1)), Error);
  EXPECT_THROW(geglu(randn({2, 0}, 1)), Error);
}

}  // namespace
}  // namespace keyflow::ops
