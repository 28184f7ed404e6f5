#include "ops/gate.h"

#include <c10/core/InferenceMode.h>

#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using tests::near;

TEST(AddGated, FusedEqualsPlain) {
  const at::Tensor x = randn({2, 7, 37}, 1);
  for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const auto& gate : {at::Tensor(), randn({1, 1, 37}, 2), randn({2, 1, 37}, 3)}) {
      const at::Tensor y = randn({2, 7, 37}, 4).to(type), plain = ops::add_gated_plain(x, y, gate);
      c10::InferenceMode guard;
      EXPECT_TRUE(near(ops::add_gated(x.clone(), y, gate), plain, 1e-6));
    }
  }
}

TEST(AddGated, OverwritesOnlyWithoutGradient) {
  const at::Tensor y = randn({2, 7, 8}, 5), gate = randn({2, 1, 8}, 6);
  {
    c10::InferenceMode guard;
    at::Tensor x = randn({2, 7, 8}, 7);
    const at::Tensor before = x.clone(), part = ops::add_gated(x.narrow(1, 2, 3), y.narrow(1, 2, 3), gate);
    EXPECT_TRUE(part.is_alias_of(x));
    EXPECT_TRUE(near(x.narrow(1, 2, 3), ops::add_gated_plain(before, y, gate).narrow(1, 2, 3), 1e-6));
    EXPECT_TRUE(x.narrow(1, 0, 2).equal(before.narrow(1, 0, 2)));
    EXPECT_TRUE(x.narrow(1, 5, 2).equal(before.narrow(1, 5, 2)));
  }
  const at::Tensor x = randn({2, 7, 8}, 8), before = x.clone(), leaf = gate.clone().requires_grad_();
  ops::add_gated(x, y, leaf).sum().backward();
  EXPECT_TRUE(x.equal(before));
  EXPECT_TRUE(near(leaf.grad(), y.sum(1, true), 1e-5));
}

}  // namespace
}  // namespace keyflow
