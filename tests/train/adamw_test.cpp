#include "train/adamw.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/tensor_match.h"
#include "train/log.h"

namespace keyflow::train {
namespace {

/// torch.optim.AdamW([w], lr=0.1, betas=(0.9, 0.99), weight_decay=0.01) on loss = (w * [1, 2, 3]).square().sum(), w =
/// 1, five steps, in float64 rounded to seven digits (PyTorch 2.13.0). w is a matrix, so that it decays.
TEST(AdamW, TakesTorchsSteps) {
  at::Tensor w = at::ones({1, 3}).requires_grad_();
  AdamW optimiser({{"w", w}}, {.clip_norm = 0});
  std::vector<at::Tensor> path;
  for (int i = 0; i < 5; ++i) {
    (w * at::tensor({1.0F, 2.0F, 3.0F})).square().sum().backward();
    optimiser.step(0.1);
    path.push_back(w.detach().clone());
  }
  EXPECT_TRUE(tests::near(path[0], at::full({1, 3}, 0.899), 1e-6));
  EXPECT_TRUE(tests::near(path[4], at::full({1, 3}, 0.5036549), 1e-5));
  EXPECT_EQ(optimiser.steps(), 5);
}

TEST(AdamW, ClipsByTheNormOverAllParameters) {
  at::Tensor a = at::zeros({2}).requires_grad_(), b = at::zeros({1}).requires_grad_();
  AdamW optimiser({{"a", a}, {"b", b}}, {});
  ((a * 3).sum() + b.sum() * 4).backward();
  EXPECT_NEAR(optimiser.step(0.1), std::sqrt(9 + 9 + 16.0), 1e-5);
}

TEST(AdamW, LeavesAParameterWithoutGradientAlone) {
  at::Tensor used = at::ones({2, 2}).requires_grad_(), idle = at::ones({2, 2}).requires_grad_();
  AdamW optimiser({{"used", used}, {"idle", idle}}, {});
  used.sum().backward();
  optimiser.step(0.1);
  EXPECT_TRUE(idle.detach().equal(at::ones({2, 2})));
  EXPECT_FALSE(used.detach().equal(at::ones({2, 2})));
}

TEST(AdamW, RefusesAGradientThatIsNotFinite) {
  at::Tensor w = at::zeros({1}).requires_grad_();
  AdamW optimiser({{"w", w}}, {});
  w.log().sum().backward();
  EXPECT_THROW(optimiser.step(0.1), Error);
}

TEST(AdamW, GoesOnFromItsStateAsIfNeverStopped) {
  const auto run = [](int stop_at) {
    at::Tensor w = at::ones({2, 3}).requires_grad_();
    auto optimiser = std::make_unique<AdamW>(NamedTensors{{"w", w}}, AdamWOptions{});
    for (int i = 0; i < 6; ++i) {
      if (i == stop_at) {
        const NamedTensors state = optimiser->state();
        optimiser = std::make_unique<AdamW>(NamedTensors{{"w", w}}, AdamWOptions{});
        optimiser->load_state(state);
      }
      (w * w * (i + 1)).sum().backward();
      optimiser->step(0.05);
    }
    return std::pair(w.detach().clone(), optimiser->ema()[0].second.clone());
  };
  const auto whole = run(-1), resumed = run(3);
  EXPECT_TRUE(whole.first.equal(resumed.first));
  EXPECT_TRUE(whole.second.equal(resumed.second));
}

TEST(LearningRate, WarmsUpHoldsAndCoolsDown) {
  EXPECT_DOUBLE_EQ(learning_rate(1, 0, 10, 20, 100), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(1, 9, 10, 20, 100), 1);
  EXPECT_DOUBLE_EQ(learning_rate(1, 50, 10, 20, 100), 1);
  EXPECT_NEAR(learning_rate(1, 90, 10, 20, 100), 0.525, 1e-9);
  EXPECT_NEAR(learning_rate(1, 100, 10, 20, 100), 0.05, 1e-9);
}

}  // namespace
}  // namespace keyflow::train
