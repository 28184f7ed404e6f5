#include "ops/group_norm.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow::ops {
namespace {

using tests::near;

struct GroupNorm : ::testing::TestWithParam<AfterNorm> {};

constexpr double kEps = 1e-6;

TEST_P(GroupNorm, EqualsItsPlainTwin) {
  const at::NoGradGuard no_grad;
  for (const auto& [C, groups] : {std::pair<int64_t, int64_t>{6, 3}, {32, 32}, {37, 1}, {96, 8}}) {
    const at::Tensor weight = randn({C}, 2) + 1, bias = randn({C}, 3);
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const at::Tensor x = (randn({2, C, 17, 19}, 1) * 3 + 1).to(type);
      const at::Tensor expected = group_norm_plain(x.to(at::kFloat), groups, weight, bias, kEps, GetParam());
      const at::Tensor actual = group_norm(x, groups, weight, bias, kEps, GetParam());
      EXPECT_TRUE(near(actual, expected, type == at::kFloat ? 2e-6 : 5e-3)) << C;
      EXPECT_EQ(actual.scalar_type(), type);
      const at::Tensor last = x.contiguous(at::MemoryFormat::ChannelsLast);
      EXPECT_TRUE(group_norm(last, groups, weight, bias, kEps, GetParam()).equal(actual));
    }
    for (const at::Tensor& x :
         {randn({2, C, 3, 5, 4}, 4), randn({2, C, 11}, 5), randn({1, C, 2, 3}, 6).to(at::kHalf)}) {
      EXPECT_TRUE(near(group_norm(x, groups, weight, bias, kEps, GetParam()),
                       group_norm_plain(x, groups, weight, bias, kEps, GetParam()), x.dim() == 4 ? 2e-3 : 2e-6));
    }
  }
}

TEST_P(GroupNorm, OfPiecesIsThatOfTheWhole) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = randn({2, 12, 20, 7}, 1) * 2 + 5, weight = randn({12}, 2), bias = randn({12}, 3);
  const std::vector<at::Tensor> pieces = {x.narrow(2, 0, 3), x.narrow(2, 3, 16), x.narrow(2, 19, 1)};
  ChannelMoments moments;
  for (const auto& piece : pieces) moments.add(piece);
  const ChannelScale scale = moments.scale(4, weight, bias, kEps);
  std::vector<at::Tensor> normed;
  for (const auto& piece : pieces) normed.push_back(scale_channels(piece, scale, GetParam()));
  EXPECT_TRUE(near(at::cat(normed, 2), group_norm(x, 4, weight, bias, kEps, GetParam()), 1e-6));
}

TEST_P(GroupNorm, AddsItsShiftAndChangesTheType) {
  for (const int64_t C : {6, 36}) {
    const at::Tensor weight = randn({C}, 2), bias = randn({C}, 3), shift = randn({2, C}, 4) * 5;
    for (const auto from : {at::kFloat, at::kBFloat16}) {
      const at::Tensor x = randn({2, C, 5, 7}, 1).to(from);
      const auto expected =
          group_norm_plain(x.to(at::kFloat) + shift.view({2, C, 1, 1}), 3, weight, bias, kEps, GetParam());
      for (const auto to : {at::kFloat, at::kBFloat16, at::kHalf}) {
        const double tolerance = to == at::kFloat ? 2e-6 : 5e-3;
        EXPECT_TRUE(near(group_norm_plain(x, 3, weight, bias, kEps, GetParam(), {to, shift}), expected, tolerance));
        const at::NoGradGuard no_grad;
        const at::Tensor y = group_norm(x, 3, weight, bias, kEps, GetParam(), {to, shift});
        EXPECT_EQ(y.scalar_type(), to);
        EXPECT_TRUE(near(y, expected, tolerance)) << C;
      }
    }
    EXPECT_THROW(group_norm(randn({2, C, 2, 2}, 1), 3, weight, bias, kEps, GetParam(), {{}, shift[0]}), Error);
  }
}

TEST_P(GroupNorm, HasTheGradientsOfItsPlainTwin) {
  const auto gradients = [&](auto&& norm) {
    at::Tensor x = randn({2, 6, 5, 4}, 1).requires_grad_(), weight = randn({6}, 2).requires_grad_(),
               bias = randn({6}, 3).requires_grad_();
    (norm(x, 3, weight, bias, kEps, GetParam(), GroupNormExtras{}) * randn({2, 6, 5, 4}, 4)).sum().backward();
    return at::cat({x.grad().flatten(), weight.grad(), bias.grad()});
  };
  EXPECT_TRUE(near(gradients(group_norm), gradients(group_norm_plain), 1e-6));
}

TEST_P(GroupNorm, DoesNotDependOnThreads) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = randn({2, 24, 65, 67}, 1), weight = randn({24}, 2), bias = randn({24}, 3);
  const auto normed = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    const at::Tensor y = group_norm(x, 8, weight, bias, kEps, GetParam());
    at::set_num_threads(before);
    return y;
  };
  EXPECT_TRUE(normed(1).equal(normed(2)));
}

// A mean a thousand times the deviation costs the deviation three digits in float32 sums of squares.
TEST_P(GroupNorm, KeepsItsDigitsFarFromZero) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = randn({1, 8, 64, 64}, 1) + 1000, weight = randn({8}, 2), bias = randn({8}, 3);
  const at::Tensor y = x.to(at::kDouble).view({1, 2, -1});
  const at::Tensor exact =
      ((y - y.mean(2, true)) / (y.var(2, /*unbiased=*/false, true) + kEps).sqrt()).view(x.sizes()) *
          weight.view({1, 8, 1, 1}) +
      bias.view({1, 8, 1, 1});
  const at::Tensor expected = GetParam() == AfterNorm::silu ? exact * exact.sigmoid() : exact;
  EXPECT_TRUE(near(group_norm(x, 2, weight, bias, kEps, GetParam()), expected, 1e-4));
}

TEST_P(GroupNorm, KeepsNotANumber) {
  const at::NoGradGuard no_grad;
  at::Tensor x = randn({1, 8, 2, 2}, 1);
  x[0][0][0][0].fill_(std::nan(""));
  const at::Tensor y = group_norm(x, 2, randn({8}, 2), randn({8}, 3), kEps, GetParam());
  EXPECT_TRUE(y.narrow(1, 0, 4).isnan().all().item<bool>());
  EXPECT_FALSE(y.narrow(1, 4, 4).isnan().any().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(After, GroupNorm, ::testing::Values(AfterNorm::silu, AfterNorm::nothing),
                         [](const auto& info) { return info.param == AfterNorm::silu ? "silu" : "nothing"; });

TEST(GroupNormErrors, NameTheNumbers) {
  const auto message = [](auto&& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::shape);
      return std::string(error.what());
    }
    return std::string("nothing thrown");
  };
  const at::Tensor x = randn({1, 6, 2, 2}, 1), weight = randn({6}, 2), bias = randn({6}, 3);
  const at::NoGradGuard no_grad;
  EXPECT_EQ(message([&] { group_norm(x, 4, weight, bias, kEps, AfterNorm::nothing); }),
            "shape: group norm: 6 channels cannot be cut into 4 groups");
  EXPECT_EQ(message([&] { ChannelMoments().scale(2, weight, bias, kEps); }),
            "shape: group norm: no values to normalise");
}

}  // namespace
}  // namespace keyflow::ops
