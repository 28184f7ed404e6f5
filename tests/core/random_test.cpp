#include "core/random.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace keyflow {
namespace {

struct Golden {
  uint64_t seed;
  std::vector<int64_t> shape;
  std::vector<float> start;
  float last;
  double sum;
};

// torch 2.13.0: torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)); below 16 values torch draws
// another way than from 16 on, and 17 is no multiple of its block.
const std::vector<Golden> kGoldens = {
    {0,
     {5},
     {1.5409960746765137f, -0.293428897857666f, -2.1787893772125244f, 0.5684312582015991f},
     -1.0845223665237427f,
     -1.4473133087158203},
    {0,
     {17},
     {-1.1258398294448853f, -1.6959311962127686f, 0.5666506290435791f, 0.7935083508491516f},
     0.9318265914916992f,
     2.996606692671776},
    {42,
     {5},
     {0.33669036626815796f, 0.12880940735340118f, 0.23446236550807953f, 0.23033303022384644f},
     -1.1228563785552979f,
     -0.19256120920181274},
    {42,
     {2, 3, 4},
     {1.9269152879714966f, 1.4872840642929077f, 0.9007171988487244f, -2.1055209636688232f},
     0.3308984339237213f,
     -5.806536562740803},
    {18446744073709551615u,
     {2, 3, 4},
     {-2.664297580718994f, -1.0910485982894897f, 0.45144742727279663f, 0.22836069762706757f},
     -0.04703230410814285f,
     -8.229029275476933},
};

TEST(Randn, EqualsTorchGeneratorOfThatSeed) {
  for (const auto& golden : kGoldens) {
    const at::Tensor x = randn(golden.shape, golden.seed);
    ASSERT_EQ(x.sizes(), golden.shape);
    ASSERT_EQ(x.scalar_type(), at::kFloat);
    const at::Tensor flat = x.flatten();
    for (size_t i = 0; i < golden.start.size(); ++i) {
      EXPECT_NEAR(flat[static_cast<int64_t>(i)].item<float>(), golden.start[i], 1e-6) << golden.seed << " at " << i;
    }
    EXPECT_NEAR(flat[-1].item<float>(), golden.last, 1e-6) << golden.seed;
    EXPECT_NEAR(flat.to(at::kDouble).sum().item<double>(), golden.sum, 1e-5) << golden.seed;
  }
}

TEST(Randn, DoesNotDependOnThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = randn({3, 70'001}, 9);
  at::set_num_threads(2);
  const at::Tensor two = randn({3, 70'001}, 9);
  at::set_num_threads(before);
  EXPECT_TRUE(one.equal(two));
}

TEST(Randn, SeedsDiffer) {
  EXPECT_FALSE(randn({64}, 0).equal(randn({64}, 1)));
  EXPECT_TRUE(randn({64}, 1).equal(randn({64}, 1)));
}

}  // namespace
}  // namespace keyflow
