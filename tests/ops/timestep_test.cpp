#include "ops/timestep.h"

#include <ATen/ops/tensor.h>

#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using tests::near;

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

// Golden values: diffusers 0.42.1 get_timestep_embedding, whose own rounding they show.
TEST(TimestepEmbedding, AnglesInFloat32RoundAsDiffusersDoes) {
  const at::Tensor time = at::tensor({984.375}), y = ops::timestep_embedding(time, 256, {.angles = at::kFloat});
  const at::Tensor exact = ops::timestep_embedding(time, 256);
  for (const auto& [i, value] :
       {std::pair{1, 0.25476226f}, {5, -0.46969575f}, {133, 0.88282836f}, {200, -0.67990935f}}) {
    EXPECT_FLOAT_EQ(y[0][i].item<float>(), value) << i;
  }
  EXPECT_TRUE(near(y, exact, 2e-4));
  EXPECT_FALSE(near(y, exact, 1e-5));
}

TEST(TimestepEmbedding, SinesFirstAndShifted) {
  const at::Tensor y = ops::timestep_embedding(at::tensor({31.0}), 8, {.cosine_first = false, .shift = 1});
  for (const int64_t i : {0, 1, 2, 3}) {
    const double angle = 31 * std::pow(10000.0, -static_cast<double>(i) / 3);
    EXPECT_FLOAT_EQ(y[0][i].item<float>(), static_cast<float>(std::sin(angle))) << i;
    EXPECT_FLOAT_EQ(y[0][4 + i].item<float>(), static_cast<float>(std::cos(angle))) << i;
  }
  EXPECT_THROW(ops::timestep_embedding(at::tensor({31.0}), 2, {.shift = 1}), Error);
}

}  // namespace
}  // namespace keyflow
