#include "ops/quantised_linear.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include "core/quantised/block_pack.h"
#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow::ops {
namespace {

using tests::near;

TEST(QuantisedLinear, EqualsItsPlainTwin) {
  const at::NoGradGuard no_grad;
  for (const auto& layout : gguf_layouts()) {
    const Blocks weight = pack(randn({70, 512}, 1) * 0.05, layout.format);
    const at::Tensor x = randn({2, 5, 512}, 2), bias = randn({70}, 3);
    for (const int64_t scratch : {1, 512 * 4 * 20, 1 << 20}) {
      const QuantisedLinearOptions options{.scratch_bytes = scratch};
      EXPECT_TRUE(near(quantised_linear(x, weight, bias, options), quantised_linear_plain(x, weight, bias), 1e-6))
          << layout.name << " " << scratch;
      EXPECT_TRUE(near(quantised_linear(x, weight, {}, options), quantised_linear_plain(x, weight, {}), 1e-6))
          << layout.name << " " << scratch;
    }
  }
}

TEST(QuantisedLinear, ComputesInHalfPrecision) {
  const at::NoGradGuard no_grad;
  const Blocks weight = pack(randn({70, 512}, 1) * 0.05, BlockFormat::q8_0);
  const at::Tensor x = randn({3, 512}, 2), bias = randn({70}, 3);
  for (const auto type : {at::kBFloat16, at::kHalf}) {
    const at::Tensor y = quantised_linear(x, weight, bias.to(type), {.type = type, .scratch_bytes = 512 * 2 * 32});
    EXPECT_EQ(y.scalar_type(), type);
    EXPECT_TRUE(near(y, quantised_linear_plain(x, weight, bias.to(type), type), type == at::kHalf ? 2e-3 : 1e-2));
    EXPECT_TRUE(near(y, quantised_linear_plain(x, weight, bias), type == at::kHalf ? 4e-3 : 2e-2));
  }
}

TEST(QuantisedLinear, CutsBandsWhereBlocksEnd) {
  const at::NoGradGuard no_grad;
  const Blocks weight = pack(randn({24, 96}, 1), BlockFormat::q6_k);  // rows go together in eights
  const at::Tensor x = randn({4, 96}, 2);
  EXPECT_TRUE(near(quantised_linear(x, weight, {}, {.scratch_bytes = 96 * 4 * 10}),
                   quantised_linear_plain(x, weight, {}), 1e-6));
}

TEST(QuantisedLinear, TakesScaledFloats) {
  const at::NoGradGuard no_grad;
  const at::Tensor values = randn({6, 10}, 1).to(at::kFloat8_e4m3fn), scale = randn({6}, 2), x = randn({3, 10}, 3);
  const Blocks weight{BlockFormat::f8_e4m3, values.view(at::kByte).flatten(), {6, 10}, scale};
  const at::Tensor expected = x.matmul((values.to(at::kFloat) * scale.unsqueeze(1)).t());
  EXPECT_TRUE(near(quantised_linear(x, weight, {}, {.scratch_bytes = 80}), expected, 1e-6));
}

TEST(QuantisedLinear, GradientReachesTheInput) {
  const Blocks weight = pack(randn({8, 64}, 1), BlockFormat::q8_0);
  at::Tensor x = randn({3, 64}, 2).requires_grad_();
  quantised_linear(x, weight, {}).sum().backward();
  EXPECT_TRUE(near(x.grad()[1], unpack(weight).sum(0), 1e-6));
}

TEST(QuantisedLinear, RefusesAnotherWidth) {
  const Blocks weight = pack(randn({8, 64}, 1), BlockFormat::q8_0);
  EXPECT_THROW(quantised_linear(randn({3, 32}, 1), weight, {}), Error);
  EXPECT_THROW(quantised_linear_plain(randn({3, 32}, 1), weight, {}), Error);
}

}  // namespace
}  // namespace keyflow::ops
