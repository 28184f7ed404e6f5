#include "ops/gelu.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/linspace.h>
#include <c10/core/InferenceMode.h>

#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

TEST(GeluTanh, FusedEqualsDoublePrecision) {
  c10::InferenceMode guard;
  const at::Tensor x = at::cat({at::linspace(-12, 12, 100003), at::linspace(-1e4, 1e4, 11)}).to(at::kFloat);
  const at::Tensor exact = ops::gelu_tanh_plain(x.to(at::kDouble)), fused = ops::gelu_tanh(x.clone());
  // Absolute where the value is small, relative where it is large.
  EXPECT_LT(((fused - exact).abs() / exact.abs().clamp_min(1)).max().item<double>(), 3e-7);
}

TEST(GeluTanh, HalfTypes) {
  c10::InferenceMode guard;
  const at::Tensor x = randn({3, 77}, 1) * 3;
  for (const auto type : {at::kBFloat16, at::kHalf}) {
    const at::Tensor rounded = x.to(type), exact = ops::gelu_tanh_plain(rounded.to(at::kDouble));
    const at::Tensor fused = ops::gelu_tanh(rounded.clone());
    EXPECT_EQ(fused.scalar_type(), type);
    EXPECT_TRUE(tests::near(fused, exact, 4e-3));
  }
}

TEST(GeluTanh, OverwritesOnlyWithoutGradient) {
  const at::Tensor x = randn({40}, 2), leaf = x.clone().requires_grad_();
  ops::gelu_tanh(leaf).sum().backward();
  EXPECT_TRUE(leaf.equal(x));
  EXPECT_TRUE(leaf.grad().defined());
  c10::InferenceMode guard;
  const at::Tensor own = x.clone();
  EXPECT_TRUE(ops::gelu_tanh(own).is_alias_of(own));
}

TEST(GeluTanh, KeepsNonFinite) {
  c10::InferenceMode guard;
  at::Tensor x = randn({40}, 3);
  x[7] = std::numeric_limits<float>::quiet_NaN();
  x[8] = std::numeric_limits<float>::infinity();
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor y = ops::gelu_tanh(x.to(type).clone());
    EXPECT_TRUE(y[7].isnan().item<bool>());
    EXPECT_TRUE(y[8].isinf().item<bool>());
    EXPECT_EQ(y.isfinite().sum().item<int64_t>(), 38);
  }
}

}  // namespace
}  // namespace keyflow
