#include "apps/time_estimate.h"

#include <gtest/gtest.h>

namespace keyflow::apps {
namespace {

using pipeline::Phase;

TEST(TimeEstimate, RunsFromNothingToAllWithoutFalling) {
  for (const int64_t segments : {1, 3}) {
    TimeEstimate estimate;
    double now = 0, last = 0;
    const auto step = [&](Phase phase, int64_t done, int64_t total) {
      estimate.update(phase, done, total, now += 1);
      EXPECT_GE(estimate.fraction(), last);
      last = estimate.fraction();
    };
    step(Phase::load, 0, 1);
    EXPECT_EQ(estimate.fraction(), 0);
    step(Phase::text, 0, 1);
    EXPECT_FALSE(estimate.left_s());
    step(Phase::text, 1, 1);
    for (int64_t segment = 0; segment < segments; ++segment) {
      step(Phase::load, 0, 1);
      step(Phase::image, 0, 1);
      step(Phase::image, 1, 1);
      for (int64_t i = 0; i <= 10; ++i) step(Phase::denoise, segment * 10 + i, segments * 10);
      EXPECT_TRUE(estimate.left_s());
      step(Phase::write, 1, 1);
      for (int64_t i = 0; i <= 17; ++i) step(Phase::decode, segment * 17 + i, segments * 17);
    }
    step(Phase::write, 1, 1);
    EXPECT_NEAR(estimate.fraction(), 1, 1e-12);
    EXPECT_NEAR(*estimate.left_s(), 0, 1e-9);
  }
}

TEST(TimeEstimate, MeasuresTheRunningPhase) {
  TimeEstimate estimate;
  estimate.update(Phase::denoise, 0, 10, 100);
  EXPECT_FALSE(estimate.left_s());
  estimate.update(Phase::denoise, 5, 10, 150);
  // Text and pictures count as done; half of denoising, .375 of all, took 50 s.
  EXPECT_NEAR(*estimate.left_s(), (1 - .05 - .375) * 50 / .375, 1e-9);
}

TEST(TimeEstimate, UpscalingIsAllOfTheWork) {
  TimeEstimate estimate;
  estimate.update(Phase::load, 0, 1, 9);
  estimate.update(Phase::upscale, 0, 8, 10);
  EXPECT_EQ(estimate.fraction(), 0);
  EXPECT_FALSE(estimate.left_s());
  estimate.update(Phase::upscale, 2, 8, 16);
  EXPECT_NEAR(estimate.fraction(), .25, 1e-12);
  EXPECT_NEAR(*estimate.left_s(), 18, 1e-9);
  estimate.update(Phase::upscale, 8, 8, 34);
  estimate.update(Phase::write, 1, 1, 35);
  EXPECT_NEAR(estimate.fraction(), 1, 1e-12);
}

TEST(TimeEstimate, CountsOnlyTheStepsOfThisRun) {
  TimeEstimate estimate;
  estimate.update(Phase::denoise, 8, 10, 10);
  estimate.update(Phase::denoise, 9, 10, 20);
  EXPECT_NEAR(*estimate.left_s(), (.075 + .2) * 10 / .075, 1e-9);
}

}  // namespace
}  // namespace keyflow::apps
