#include "ops/patchify.h"

#include <ATen/ops/conv3d.h>
#include <ATen/ops/linear.h>

#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

TEST(Patchify, LinearOverPatchesIsTheStridedConvolution) {
  const at::Tensor x = randn({2, 3, 4, 6, 10}, 1), weight = randn({5, 3, 2, 3, 2}, 2), bias = randn({5}, 3);
  const at::Tensor y = at::linear(ops::patchify(x, {2, 3, 2}), weight.flatten(1), bias);
  const at::Tensor expected = at::conv3d(x, weight, bias, {2, 3, 2}).flatten(2).transpose(1, 2);
  EXPECT_TRUE(tests::near(y, expected, 1e-6));
}

TEST(Unpatchify, PutsEachValueInItsPlace) {
  const std::array<int64_t, 3> grid{2, 3, 5}, patch{1, 2, 2};
  const at::Tensor tokens = randn({2, 30, 12}, 4), y = ops::unpatchify(tokens, grid, patch);
  ASSERT_EQ(shape_text(y.sizes()), "[2, 3, 2, 6, 10]");
  // Token (t, h, w) = (1, 2, 4), offsets (1, 0), channel 2: channel fastest.
  const int64_t token = (1 * 3 + 2) * 5 + 4, inside = (1 * 2 + 0) * 3 + 2;
  EXPECT_EQ(y[1][2][1][5][8].item<float>(), tokens[1][token][inside].item<float>());
}

TEST(Patchify, RefusesSizesThatDoNotDivide) {
  EXPECT_THROW(ops::patchify(randn({1, 1, 1, 3, 4}, 5), {1, 2, 2}), Error);
  EXPECT_THROW(ops::unpatchify(randn({1, 5, 4}, 6), {1, 2, 2}, {1, 2, 2}), Error);
}

}  // namespace
}  // namespace keyflow
