#include <ATen/ops/conv2d.h>
#include <c10/core/InferenceMode.h>

#include "core/random.h"
#include "models/layers/conv.h"
#include "models/layers/linear.h"
#include "tests/models/held_source.h"
#include "tests/tensor_match.h"

namespace keyflow::layers {
namespace {

using tests::HeldSource;
using tests::near;
using weights::Scope;

constexpr Conv2dOptions kOptions{.stride = 2, .padding = 1};

HeldSource frozen(at::ScalarType type = at::kFloat) {
  return HeldSource([](const Scope& w) { Conv2d(w, 6, 8, kOptions); }, type);
}

at::Tensor expected_of(const HeldSource& source, const at::Tensor& x) {
  const auto& tensors = source.tensors;
  return at::conv2d(x, tensors.at("weight").to(at::kFloat), tensors.at("bias").to(at::kFloat), 2, 1);
}

TEST(Conv2dLayer, GivesTheSameFrozenAndTrained) {
  const at::Tensor x = randn({2, 6, 9, 7}, 5);
  weights::InitSource init(3);
  const Conv2d trained(Scope(init, {}), 6, 8, kOptions);
  HeldSource source = frozen();
  const Conv2d fixed(Scope(source, {}), 6, 8, kOptions);
  EXPECT_TRUE(near(fixed(x), expected_of(source, x), 1e-6));
  EXPECT_TRUE(near(fixed(x), trained(x), 1e-6));
  trained(x).square().sum().backward();
  for (const auto& [name, weight] : init.named()) EXPECT_TRUE(weight.grad().defined()) << name;
}

TEST(Conv2dLayer, GradientPassesThroughAFrozenOne) {
  HeldSource source = frozen();
  const Conv2d fixed(Scope(source, {}), 6, 8, kOptions);
  const auto gradient = [&](auto&& layer) {
    at::Tensor x = randn({2, 6, 9, 7}, 5).requires_grad_();
    layer(x).square().sum().backward();
    return x.grad();
  };
  EXPECT_TRUE(near(gradient(fixed), gradient([&](const at::Tensor& x) { return expected_of(source, x); }), 1e-5));
}

TEST(Conv2dLayer, TypesOfFileAndKernelMayDiffer) {
  const c10::InferenceMode guard;
  const at::Tensor x = randn({2, 6, 9, 7}, 5);
  for (const auto stored : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const auto kernel : {at::kFloat, at::kBFloat16}) {
      HeldSource source = frozen(stored);
      Compute compute;
      compute.conv2d = kernel;
      const Conv2d layer(Scope(source, compute), 6, 8, kOptions);
      EXPECT_EQ(layer(x).scalar_type(), kernel);
      EXPECT_TRUE(near(layer(x), expected_of(source, x), kernel == at::kFloat ? 1e-6 : 1e-2));
      EXPECT_EQ(Conv2d::fp32(Scope(source, compute), 6, 8, kOptions)(x).scalar_type(), at::kFloat);
    }
  }
}

TEST(Conv2dLayer, ANarrowWeightStaysWhereItIs) {
  HeldSource source = frozen(at::kBFloat16);
  const Conv2d layer(Scope(source, {}), 6, 8, kOptions);
  EXPECT_GT(source.tensors.at("weight").use_count(), 1);
}

TEST(PointwiseLinear, IsAConvolutionOverChannelsThatLieLast) {
  HeldSource source([](const Scope& w) { Linear::pointwise(w, 6, 8); });
  EXPECT_EQ(shape_text(source.tensors.at("weight").sizes()), "[8, 6, 1, 1]");
  const at::Tensor x = randn({2, 5, 7, 6}, 1), y = Linear::pointwise(Scope(source, {}), 6, 8)(x);
  const at::Tensor expected =
      at::conv2d(x.permute({0, 3, 1, 2}), source.tensors.at("weight"), source.tensors.at("bias"));
  EXPECT_TRUE(near(y, expected.permute({0, 2, 3, 1}), 1e-6));
}

}  // namespace
}  // namespace keyflow::layers
