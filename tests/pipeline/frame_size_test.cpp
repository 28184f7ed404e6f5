#include "pipeline/frame_size.h"

#include <gtest/gtest.h>

#include <ostream>

namespace keyflow::pipeline {

void PrintTo(const FrameSize& size, std::ostream* out) { *out << size.width << "x" << size.height; }

namespace {

struct Golden {
  FrameSize picture;
  int64_t area;
  FrameSize official, diffusers;
};

// Wan2.1 wan/image2video.py@9737cba run on these sizes; the diffusers rule differs for one of them.
constexpr Golden kGoldens[] = {
    {{1920, 1080}, 921600, {1280, 720}, {1280, 720}}, {{1280, 720}, 921600, {1280, 720}, {1280, 720}},
    {{720, 1280}, 921600, {720, 1280}, {720, 1280}},  {{832, 480}, 399360, {832, 464}, {832, 480}},
    {{480, 832}, 399360, {480, 832}, {480, 832}},     {{1920, 1080}, 399360, {832, 464}, {832, 464}},
    {{1080, 1920}, 399360, {464, 832}, {464, 832}},   {{1024, 768}, 399360, {720, 544}, {720, 544}},
    {{512, 512}, 399360, {624, 624}, {624, 624}},     {{1000, 750}, 921600, {1104, 816}, {1104, 816}},
};

TEST(FrameSize, FollowsTheFirstPicture) {
  for (const auto& golden : kGoldens) {
    EXPECT_EQ(official_frame_size(golden.picture, golden.area, 8, 2), golden.official);
    EXPECT_EQ(diffusers_frame_size(golden.picture, golden.area, 16), golden.diffusers);
  }
}

TEST(FrameSize, AThinPictureStillHasOneCell) {
  EXPECT_EQ(official_frame_size({10000, 1}, 16384, 8, 2), (FrameSize{12800, 16}));
}

TEST(FrameSize, NearestNumbers) {
  EXPECT_EQ(nearest_two(80, 4, 1), "77 or 81");
  EXPECT_EQ(nearest_two(0, 4, 1), "1");
  EXPECT_EQ(nearest_two(513, 16, 0), "512 or 528");
  EXPECT_EQ(nearest_two(3, 16, 0), "16");
}

}  // namespace
}  // namespace keyflow::pipeline
