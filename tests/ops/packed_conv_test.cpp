#include "ops/packed_conv.h"

#include <ATen/ops/conv2d.h>

#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow::ops {
namespace {

using tests::near;

struct Shape {
  int64_t in, out, kernel, stride, padding, H, W;
};

class PackedConv : public ::testing::TestWithParam<Shape> {};

TEST_P(PackedConv, EqualsItsPlainTwinAndTheLibrarysConvolution) {
  const auto [in, out, kernel, stride, padding, H, W] = GetParam();
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor weight = randn({out, in, kernel, kernel}, 1).to(type), bias = randn({out}, 2).to(type),
                     x = randn({2, in, H, W}, 3).to(type), packed = pack_conv2d(weight, {stride, padding});
    if (!packed.defined()) GTEST_SKIP() << "this libtorch has no such kernel for " << dtype_name(type);
    for (const auto& summand : {bias, at::Tensor()}) {
      const at::Tensor y = packed_conv2d(x, packed, summand, {stride, padding});
      const at::Tensor expected = at::conv2d(x.to(at::kFloat), weight.to(at::kFloat),
                                             summand.defined() ? summand.to(at::kFloat) : summand, stride, padding);
      EXPECT_EQ(y.scalar_type(), type);
      EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
      EXPECT_TRUE(near(y, expected, type == at::kFloat ? 3e-6 : 6e-3));
      EXPECT_TRUE(
          near(packed_conv2d_plain(x, packed, summand, {stride, padding}), expected, type == at::kFloat ? 3e-6 : 6e-3));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, PackedConv,
                         ::testing::Values(Shape{5, 7, 3, 1, 1, 9, 6}, Shape{32, 16, 3, 2, 1, 7, 5},
                                           Shape{3, 48, 3, 1, 1, 1, 1}, Shape{64, 64, 3, 1, 1, 16, 16},
                                           Shape{8, 4, 1, 1, 0, 3, 4}, Shape{6, 6, 3, 1, 0, 4, 5}));

TEST(PackedConvTypes, OthersAreLeftToTheLibrary) {
  EXPECT_FALSE(pack_conv2d(randn({4, 4, 3, 3}, 1).to(at::kDouble), {}).defined());
  EXPECT_FALSE(pack_conv2d(randn({4, 4, 3}, 1), {}).defined());
  EXPECT_FALSE(pack_conv2d(randn({0, 4, 3, 3}, 1), {}).defined());
}

}  // namespace
}  // namespace keyflow::ops
