#include "ops/channel_norm.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow::ops {
namespace {

using tests::near;

struct ChannelNorm : ::testing::TestWithParam<AfterNorm> {};

at::Tensor video(at::ScalarType type, int64_t C) { return randn({2, C, 3, 5, 4}, 1).mul(3).to(type); }

TEST_P(ChannelNorm, EqualsItsPlainTwin) {
  const at::NoGradGuard no_grad;
  for (const int64_t C : {3, 24, 37, 96}) {
    const at::Tensor gamma = randn({C}, 2) + 1;
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const at::Tensor x = video(type, C);
      const at::Tensor expected = channel_norm_plain(x.to(at::kFloat), gamma, GetParam());
      EXPECT_TRUE(near(channel_norm(x, gamma, GetParam()), expected, type == at::kFloat ? 1e-6 : 5e-3)) << C;
      const at::Tensor last = x.contiguous(at::MemoryFormat::ChannelsLast3d);
      EXPECT_TRUE(channel_norm(last, gamma, GetParam()).equal(channel_norm(x, gamma, GetParam())));
    }
    const at::Tensor picture = randn({2, C, 5, 4}, 3);
    EXPECT_TRUE(near(channel_norm(picture, gamma, GetParam()), channel_norm_plain(picture, gamma, GetParam()), 1e-6));
  }
}

TEST_P(ChannelNorm, HasTheGradientsOfItsPlainTwin) {
  for (const int64_t C : {3, 24, 37}) {
    const auto gradients = [&](auto&& norm) {
      at::Tensor x = video(at::kFloat, C).requires_grad_(), gamma = (randn({C}, 2) + 1).requires_grad_();
      (norm(x, gamma, GetParam()) * randn({2, C, 3, 5, 4}, 4)).sum().backward();
      return std::pair(x.grad(), gamma.grad());
    };
    const auto fused = gradients(channel_norm), plain = gradients(channel_norm_plain);
    EXPECT_TRUE(near(fused.first, plain.first, 1e-5)) << C;
    EXPECT_TRUE(near(fused.second, plain.second, 1e-5)) << C;
  }
}

TEST_P(ChannelNorm, GradientsDoNotDependOnThreads) {
  const auto gradient = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    at::Tensor x = randn({2, 24, 3, 17, 19}, 1).requires_grad_(), gamma = randn({24}, 2).requires_grad_();
    channel_norm(x, gamma, GetParam()).square().sum().backward();
    at::set_num_threads(before);
    return gamma.grad();
  };
  EXPECT_TRUE(gradient(1).equal(gradient(2)));
}

TEST_P(ChannelNorm, KeepsNotANumberAndSurvivesZerosAndLargeValues) {
  const at::NoGradGuard no_grad;
  at::Tensor x = randn({1, 8, 1, 2, 2}, 1).contiguous(at::MemoryFormat::ChannelsLast3d);
  x.select(4, 0).zero_();
  x.select(4, 1).mul_(1e15);
  const at::Tensor gamma = randn({8}, 2).mul(100);
  EXPECT_TRUE(near(channel_norm(x, gamma, GetParam()), channel_norm_plain(x, gamma, GetParam()), 1e-5));
  x[0][0][0][0][0].fill_(std::nan(""));
  EXPECT_TRUE(channel_norm(x, gamma, GetParam()).isnan().any().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(After, ChannelNorm, ::testing::Values(AfterNorm::silu, AfterNorm::nothing),
                         [](const auto& info) { return info.param == AfterNorm::silu ? "silu" : "nothing"; });

}  // namespace
}  // namespace keyflow::ops
