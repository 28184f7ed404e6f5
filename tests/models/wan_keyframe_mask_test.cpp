#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "models/wan/keyframe_mask.h"

namespace keyflow::wan {
namespace {

/// The official construction: one channel per pixel frame, the first repeated four times, groups of four.
at::Tensor by_repeating(const std::vector<int64_t>& given, int64_t frames) {
  const at::Tensor flags = at::zeros({frames}, at::kFloat);
  for (const auto frame : given) flags[frame] = 1;
  const at::Tensor first = flags.narrow(0, 0, 1).expand({4});
  return at::cat({first, flags.narrow(0, 1, frames - 1)}).view({(frames + 3) / 4, 4}).t().contiguous();  // [4, T]
}

TEST(KeyframeMask, ClosedFormEqualsTheOfficialConstruction) {
  for (const int64_t frames : {1, 5, 17, 81}) {
    for (int64_t mask = 1; mask < 128; mask = mask * 3 + 1) {
      std::vector<int64_t> given;
      for (int64_t frame = 0; frame < frames; ++frame) {
        if (mask >> (frame * 5 % 7) & 1) given.push_back(frame);
      }
      EXPECT_TRUE(at::equal(keyframe_mask(given, frames), by_repeating(given, frames)))
          << frames << " frames, mask " << mask;
    }
  }
}

// What Wan2.1 PR#583 and diffusers#12241 had wrong: the last frame of any length is channel 3 of the last latent frame.
TEST(KeyframeMask, FirstAndLastOfAnyLength) {
  for (const int64_t frames : {5, 17, 33, 81}) {
    const at::Tensor mask = keyframe_mask({0, frames - 1}, frames);
    EXPECT_EQ(mask.sum().item<float>(), 5);
    EXPECT_EQ(mask.select(1, 0).sum().item<float>(), 4);
    EXPECT_EQ(mask[3][(frames - 1) / 4].item<float>(), 1);
  }
}

TEST(KeyframeMask, LatentFrameOfAPixelFrame) {
  EXPECT_EQ(latent_frame(0), 0);
  EXPECT_EQ(latent_frame(1), 1);
  EXPECT_EQ(latent_frame(4), 1);
  EXPECT_EQ(latent_frame(5), 2);
  EXPECT_EQ(latent_frame(80), 20);
}

}  // namespace
}  // namespace keyflow::wan
