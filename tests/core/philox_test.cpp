#include "core/philox.h"

#include <gtest/gtest.h>

namespace keyflow {
namespace {

struct Golden {
  uint64_t seed;
  int64_t draw;
  std::vector<float> start;
};

// Computed apart in Python from the published rounds, whose known answers (Random123 kat_vectors, philox4x32 10) that
// code reproduces. Seeds 0 and 42 start as torch.randn(..., device="cuda") does: -0.9247, -0.4253 and 0.1940, 2.1614.
const std::vector<Golden> kGoldens = {
    {0,
     0,
     {-0.9246624112129211F, -0.42534396052360535F, -2.643845796585083F, 0.14518387615680695F, -0.12086650729179382F,
      -0.5797256827354431F, -0.6228513121604919F, -0.32838714122772217F, -1.0745420455932617F, -0.3631440997123718F,
      -1.6710504293441772F, 2.265505075454712F}},
    {0, 1, {0.18082588911056519F, -0.5522627234458923F, 0.9238134026527405F, -0.7349703311920166F}},
    {42, 0, {0.1940188705921173F, 2.1613738536834717F, -0.17205095291137695F, 0.8490599989891052F}},
    {42, 3, {-0.6973659992218018F, -1.8688260316848755F, -0.8831865191459656F, -1.662704348564148F}},
    {18446744073709551615U, 0, {0.6323022842407227F, 0.03350096940994263F, 0.8390876650810242F, -2.0634682178497314F}},
};

TEST(PhiloxRandn, EqualsTheCudaGeneratorOfThatSeed) {
  for (const auto& golden : kGoldens) {
    const at::Tensor x = philox_randn({2, 3, 7}, golden.seed, golden.draw);
    ASSERT_EQ(x.sizes(), (std::vector<int64_t>{2, 3, 7}));
    const at::Tensor flat = x.flatten();
    for (size_t i = 0; i < golden.start.size(); ++i) {
      EXPECT_NEAR(flat[static_cast<int64_t>(i)].item<float>(), golden.start[i], 1e-6) << golden.seed << " at " << i;
    }
  }
}

TEST(PhiloxRandn, IsStandardNormal) {
  const at::Tensor x = philox_randn({100'000}, 7).to(at::kDouble);
  EXPECT_NEAR(x.mean().item<double>(), 0, 0.01);
  EXPECT_NEAR(x.std().item<double>(), 1, 0.01);
}

TEST(PhiloxRandn, APlaceDoesNotHangOnTheShape) {
  EXPECT_TRUE(philox_randn({5}, 3).equal(philox_randn({3, 4}, 3).flatten().slice(0, 0, 5)));
}

}  // namespace
}  // namespace keyflow
