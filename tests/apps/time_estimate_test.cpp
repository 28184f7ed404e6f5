#include "apps/time_estimate.h"

#include <gtest/gtest.h>

namespace keyflow::apps {
namespace {

using pipeline::Phase;

TEST(TimeEstimate, RunsFromNothingToAllWithoutFalling) {
  for (const int64_t segments : {1, 3}) {
    TimeEstimate estimate(segments);
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
    for (int64_t segment = 0; segment < segments; ++segment) {
      step(Phase::image, 0, 1);
      for (int64_t i = 0; i <= 10; ++i) step(Phase::denoise, i, 10);
      EXPECT_TRUE(estimate.left_s());
      for (int64_t i = 0; i <= 17; ++i) step(Phase::decode, i, 17);
    }
    step(Phase::write, 0, 1);
    step(Phase::write, 1, 1);
    EXPECT_DOUBLE_EQ(estimate.fraction(), 1);
    EXPECT_NEAR(*estimate.left_s(), 0, 1e-9);
  }
}

TEST(TimeEstimate, MeasuresTheRunningPhase) {
  TimeEstimate estimate(1);
  estimate.update(Phase::denoise, 0, 10, 100);
  estimate.update(Phase::denoise, 5, 10, 150);
  // Half of denoising took 50 s: as much again, and what follows at the mean rate so far (150 s for 42 of 100 parts).
  EXPECT_NEAR(*estimate.left_s(), 50 + 150.0 * 22 / 42, 1e-9);
}

}  // namespace
}  // namespace keyflow::apps
