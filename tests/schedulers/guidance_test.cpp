#include "schedulers/guidance.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/philox.h"
#include "core/random.h"
#include "schedulers/prediction.h"
#include "schedulers/sampler.h"

namespace keyflow::schedulers {
namespace {

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Guidance, ScaleZeroAndOneAreTheTwoOutputs) {
  const auto cond = randn({2, 3, 5, 7}, 1), uncond = randn({2, 3, 5, 7}, 2);
  EXPECT_TRUE(guided(cond, uncond, 0).equal(uncond));
  EXPECT_LE(distance(guided(cond, uncond, 1), cond), 1e-6);
  EXPECT_LE(distance(guided(cond, uncond, 5), 5 * cond - 4 * uncond), 1e-5);
  EXPECT_THROW(guided(cond, uncond[0], 5), Error);
}

TEST(Guidance, RescalingRestoresTheSpreadOfEachSample) {
  const auto cond = at::cat({randn({1, 3, 5, 7}, 1), 4 * randn({1, 3, 5, 7}, 2)});  // [B, C, H, W]
  const auto strong = guided(cond, randn({2, 3, 5, 7}, 3), 7.5);
  const auto full = rescaled_guidance(strong, cond, 1.0);
  for (int64_t b = 0; b < 2; ++b) EXPECT_NEAR(full[b].std().item<double>(), cond[b].std().item<double>(), 1e-5);
  EXPECT_TRUE(rescaled_guidance(strong, cond, 0).equal(strong));
  EXPECT_LE(distance(rescaled_guidance(strong, cond, 0.3), 0.3 * full + 0.7 * strong), 1e-5);
}

// diffusers 0.42.1 pipelines/stable_diffusion/pipeline_stable_diffusion.py rescale_noise_cfg of two samples of three.
TEST(Guidance, RescalingEqualsDiffusers) {
  const auto strong = at::tensor({1.0, 2.0, 4.0, -3.0, 0.5, 8.0}, at::kDouble).reshape({2, 3, 1});
  const auto cond = at::tensor({0.5, 1.0, 1.5, -1.0, 2.0, 2.5}, at::kDouble).reshape({2, 3, 1});
  const auto full = rescaled_guidance(strong, cond, 0.7);
  for (int64_t b = 0; b < 2; ++b) {
    const double ratio = (cond[b].std() / strong[b].std()).item<double>();
    EXPECT_LE(distance(full[b], 0.7 * ratio * strong[b] + 0.3 * strong[b]), 1e-15);
  }
  EXPECT_LE(
      distance(full[0],
               at::tensor({0.529128784747792, 1.058257569495584, 2.116515138991168}, at::kDouble).reshape({3, 1})),
      1e-6);
}

TEST(Guidance, RescalingLeavesAFlatOutputAlone) {
  const auto flat = at::zeros({1, 3, 2, 2});
  EXPECT_TRUE(rescaled_guidance(flat, randn({1, 3, 2, 2}, 1), 0.7).equal(flat));
  EXPECT_THROW(rescaled_guidance(flat, flat, 1.1), Error);
  EXPECT_THROW(rescaled_guidance(flat, flat, -0.1), Error);
}

TEST(Prediction, EachParameterisationFindsTheCleanSample) {
  const auto x0 = randn({2, 3, 5, 7}, 1), noise = randn({2, 3, 5, 7}, 2);
  auto schedule = explicit_schedule({0.8, 0.3});
  for (const int64_t step : {0, 1}) {
    const auto x = add_noise(x0, noise, schedule, step);
    EXPECT_LE(distance(to_denoised(Prediction::flow, noise - x0, x, schedule, step), x0), 1e-6);
    EXPECT_TRUE(to_denoised(Prediction::sample, x0, x, schedule, step).equal(x0));
    EXPECT_THROW(to_denoised(Prediction::epsilon, noise, x, schedule, step), Error);
  }
  for (const auto path : {NoisePath::vp, NoisePath::ve}) {
    schedule = explicit_schedule({0.8, 0.4});
    schedule.path = path;
    for (const int64_t step : {0, 1}) {
      const auto x = add_noise(x0, noise, schedule, step);
      const double sigma = schedule.sigmas[step], root = std::sqrt(1 + sigma * sigma);
      const auto velocity = noise / root - (sigma / root) * x0;
      EXPECT_LE(distance(to_denoised(Prediction::epsilon, noise, x, schedule, step), x0), 4e-6);
      EXPECT_LE(distance(to_denoised(Prediction::velocity, velocity, x, schedule, step), x0), 4e-6);
      EXPECT_THROW(to_denoised(Prediction::flow, noise, x, schedule, step), Error);
      EXPECT_NEAR(input_scale(schedule, step), path == NoisePath::ve ? 1 / root : 1.0, 1e-15);
    }
  }
  EXPECT_THROW(to_denoised(Prediction::sample, x0[0], x0, schedule, 0), Error);
}

TEST(Noise, FirstDrawIsTheSharedRandn) {
  EXPECT_TRUE(initial_noise({42}, {3, 5, 7}).equal(randn({1, 3, 5, 7}, 42)));
  EXPECT_THROW(initial_noise({}, {3}), Error);
}

TEST(Noise, StepsMayBeAskedForInAnyOrder) {
  const std::vector<int64_t> shape{3, 5, 7};
  const auto noise = seeded_noise({0, 5}, shape);
  const auto third = noise(2), first = noise(0);
  EXPECT_TRUE(third.equal(seeded_noise({0, 5}, shape)(2)));
  EXPECT_TRUE(first.equal(seeded_noise({0, 5}, shape)(0)));
  EXPECT_FALSE(first.equal(third));
  EXPECT_FALSE(first.equal(initial_noise({0, 5}, shape)));
  EXPECT_TRUE(first[1].equal(seeded_noise({5}, shape)(0)[0]));
}

TEST(Noise, OfTheCudaGeneratorCountsItsDraws) {
  const std::vector<int64_t> shape{3, 5, 7};
  const auto noise = seeded_noise({0, 5}, shape, 2, noise_kind("cuda"));
  for (const int64_t step : {3, -1, 0}) {
    EXPECT_TRUE(noise(step)[1].equal(philox_randn(shape, 5, step + 3))) << step;
  }
  EXPECT_THROW(noise_kind("gpu"), Error);
}

}  // namespace
}  // namespace keyflow::schedulers
