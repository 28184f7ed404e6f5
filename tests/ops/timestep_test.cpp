#include "ops/timestep.h"

#include <ATen/ops/tensor.h>

#include "tests/tensor_match.h"

namespace keyflow {
namespace {

TEST(TimestepEmbedding, CosinesThenSines) {
  const at::Tensor y = ops::timestep_embedding(at::tensor({0.0, 999.0}), 256);
  ASSERT_EQ(shape_text(y.sizes()), "[2, 256]");
  EXPECT_EQ(y.scalar_type(), at::kFloat);
  EXPECT_FLOAT_EQ(y[0][0].item<float>(), 1.0f);
  EXPECT_FLOAT_EQ(y[0][128].item<float>(), 0.0f);
  for (const int64_t i : {0, 1, 64, 127}) {
    const double angle = 999 * std::pow(10000.0, -static_cast<double>(i) / 128);
    EXPECT_FLOAT_EQ(y[1][i].item<float>(), static_cast<float>(std::cos(angle))) << i;
    EXPECT_FLOAT_EQ(y[1][128 + i].item<float>(), static_cast<float>(std::sin(angle))) << i;
  }
}

TEST(TimestepEmbedding, TakesIntegersAndRefusesOddSizes) {
  EXPECT_TRUE(ops::timestep_embedding(at::tensor({7}), 6).equal(ops::timestep_embedding(at::tensor({7.0}), 6)));
  EXPECT_THROW(ops::timestep_embedding(at::tensor({7}), 5), Error);
}

}  // namespace
}  // namespace keyflow
