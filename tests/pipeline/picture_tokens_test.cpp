#include "pipeline/picture_tokens.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

namespace keyflow::pipeline {
namespace {

using Slots = std::vector<int64_t>;

TEST(PictureTokens, OneSlotTakesTheFirstPicture) {
  EXPECT_EQ(slots_of({}, 1), (Slots{-1}));
  EXPECT_EQ(slots_of({0}, 1), (Slots{0}));
  EXPECT_EQ(slots_of({0, 16}, 1), (Slots{0}));
  EXPECT_EQ(slots_of({16}, 1), (Slots{0}));
}

TEST(PictureTokens, TwoSlotsTakeFrameZeroAndTheLatestOther) {
  EXPECT_EQ(slots_of({}, 2), (Slots{-1, -1}));
  EXPECT_EQ(slots_of({0}, 2), (Slots{0, -1}));
  EXPECT_EQ(slots_of({16}, 2), (Slots{-1, 0}));
  EXPECT_EQ(slots_of({0, 16}, 2), (Slots{0, 1}));
  EXPECT_EQ(slots_of({0, 8, 16}, 2), (Slots{0, 2}));
  EXPECT_EQ(slots_of({4, 8}, 2), (Slots{-1, 1}));
}

// The last picture of another size first covers the size of the first: no border of zeros is shown to the tower.
TEST(PictureTokens, OfficialInputKnowsNoBorders) {
  RenderSettings settings;
  const at::Tensor first = at::full({3, 40, 60}, 10, at::kByte), other = at::full({3, 90, 30}, 200, at::kByte);
  const at::Tensor input = vision_input(other, first, 28, settings);
  EXPECT_EQ(input.sizes(), at::IntArrayRef({1, 3, 28, 28}));
  EXPECT_NEAR(input[0][0].min().item<float>(), input[0][0].max().item<float>(), 1e-4);
}

TEST(PictureTokens, ConventionsDiffer) {
  RenderSettings official, diffusers;
  diffusers.conventions = "diffusers";
  const at::Tensor picture = at::randint(0, 256, {3, 60, 90}, at::kByte);
  EXPECT_FALSE(at::equal(vision_input(picture, picture, 28, official), vision_input(picture, picture, 28, diffusers)));
}

}  // namespace
}  // namespace keyflow::pipeline
