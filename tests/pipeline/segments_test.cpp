#include "pipeline/segments.h"

#include <gtest/gtest.h>

#include <set>

#include "core/error.h"

namespace keyflow::pipeline {
namespace {

std::vector<Keyframe> at_frames(const std::vector<int64_t>& frames) {
  std::vector<Keyframe> keyframes;
  for (const auto frame : frames) keyframes.push_back({frame, std::to_string(frame) + ".png", ""});
  return keyframes;
}

/// "0+17[0 16] 16+17[0 16]": start, length and the keyframes within; "~" where the border has no picture.
std::string text_of(const std::vector<Segment>& segments) {
  std::string text;
  for (const auto& segment : segments) {
    text += (text.empty() ? "" : " ") + std::string(segment.continues ? "~" : "") + std::to_string(segment.start) +
            "+" + std::to_string(segment.frames) + "[";
    for (const auto& keyframe : segment.keyframes) {
      text += (text.back() == '[' ? "" : " ") + std::to_string(keyframe.frame);
    }
    text += "]";
  }
  return text;
}

TEST(Segments, AVideoThatFitsIsOnePiece) {
  EXPECT_EQ(text_of(plan_segments(17, at_frames({0, 8, 16}), 17)), "0+17[0 8 16]");
  EXPECT_EQ(text_of(plan_segments(1, {}, 17)), "0+1[]");
  EXPECT_EQ(text_of(plan_segments(5, at_frames({3}), 17)), "0+5[3]");
}

TEST(Segments, BordersLieOnKeyframesAndAreShared) {
  EXPECT_EQ(text_of(plan_segments(33, at_frames({0, 16, 32}), 17)), "0+17[0 16] 16+17[0 16]");
  EXPECT_EQ(text_of(plan_segments(49, at_frames({0, 12, 24, 40, 48}), 17)),
            "0+13[0 12] 12+13[0 12] 24+17[0 16] 40+9[0 8]");
}

TEST(Segments, AGapLongerThanTheModelIsCutEvenlyAndContinued) {
  EXPECT_EQ(text_of(plan_segments(33, at_frames({0, 32}), 17)), "0+17[0] ~16+17[16]");
  EXPECT_EQ(text_of(plan_segments(41, at_frames({0, 40}), 17)), "0+17[0] ~16+13[] ~28+13[12]");
}

TEST(Segments, AKeyframeOffTheGridIsNoBorder) {
  EXPECT_EQ(text_of(plan_segments(33, at_frames({0, 14, 32}), 17)), "0+17[0 14] ~16+17[16]");
}

// Whatever the plan, every frame is made once: segments overlap in exactly their border, and each keyframe is in.
TEST(Segments, CoverEveryFrameAndKeyframe) {
  for (int64_t frames = 1; frames <= 121; frames += 4) {
    for (int64_t longest = 5; longest <= 33; longest += 4) {
      std::vector<int64_t> places;
      for (int64_t frame = frames % 3; frame < frames; frame += 7) places.push_back(frame);
      const auto segments = plan_segments(frames, at_frames(places), longest);
      int64_t reached = 0;
      std::set<int64_t> seen;
      for (const auto& segment : segments) {
        ASSERT_EQ(segment.start, reached);
        ASSERT_EQ(segment.frames % 4, 1);
        ASSERT_LE(segment.frames, longest);
        ASSERT_GT(segment.frames, frames > 1 ? 1 : 0);
        reached = segment.start + segment.frames - 1;
        bool first_is_given = false;
        for (const auto& keyframe : segment.keyframes) {
          ASSERT_GE(keyframe.frame, 0);
          ASSERT_LT(keyframe.frame, segment.frames);
          seen.insert(segment.start + keyframe.frame);
          first_is_given |= keyframe.frame == 0;
          EXPECT_EQ(keyframe.picture, std::to_string(segment.start + keyframe.frame) + ".png");
        }
        EXPECT_EQ(segment.continues, segment.start > 0 && !first_is_given);
      }
      ASSERT_EQ(reached, frames - 1);
      EXPECT_EQ(seen, std::set<int64_t>(places.begin(), places.end()));
    }
  }
}

TEST(Segments, PicturesAreSpreadOverTheWholeVideo) {
  EXPECT_EQ(spread_keyframes(2, 17), (std::vector<int64_t>{0, 16}));
  EXPECT_EQ(spread_keyframes(3, 17), (std::vector<int64_t>{0, 8, 16}));
  EXPECT_EQ(spread_keyframes(4, 17), (std::vector<int64_t>{0, 4, 8, 16}));
  EXPECT_EQ(spread_keyframes(5, 17), (std::vector<int64_t>{0, 4, 8, 12, 16}));
  EXPECT_THROW(spread_keyframes(6, 17), Error);
  EXPECT_THROW(spread_keyframes(1, 17), Error);
}

}  // namespace
}  // namespace keyflow::pipeline
