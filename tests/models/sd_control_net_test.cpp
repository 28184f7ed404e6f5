#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>

#include "tests/models/held_source.h"
#include "tests/models/sd_tiny.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using sd::ControlNet;
using sd::ControlResiduals;
using tests::kind_of;
using tests::near;
using tests::SdInputs;
using tests::tiny_control;
using tests::tiny_unet;
using weights::InitSource;
using weights::Scope;

struct Both {
  Both()
      : in(tiny_unet()),
        picture(randn({2, 3, 10, 14}, 6).sigmoid()),
        unet(make<sd::UNet>(tiny_unet())),
        control(make<ControlNet>(tiny_control())) {}
  template <class Network, class Config>
  static Network make(const Config& config) {
    InitSource init(1);
    return Network(Scope(init, {}), config);
  }
  ControlResiduals residuals(const sd::ControlStrength& strength = {}) const {
    return control(in.latents, in.timestep, in.context, {}, control.embed(picture), strength);
  }
  at::Tensor output(const ControlResiduals* residuals) const {
    return unet(in.latents, in.timestep, in.context, {}, residuals);
  }
  SdInputs in;
  at::Tensor picture;
  sd::UNet unet;
  ControlNet control;
};

TEST(SdControlNet, WeightNoughtIsNoControlAndTwiceTheWeightTwiceTheResidual) {
  const c10::InferenceMode guard;
  const Both both;
  const ControlResiduals none = both.residuals({0}), one = both.residuals(), two = both.residuals({2});
  EXPECT_TRUE(both.output(&none).equal(both.output(nullptr)));
  EXPECT_FALSE(near(both.output(&one), both.output(nullptr), 1e-4));
  for (size_t i = 0; i < one.down.size(); ++i) EXPECT_TRUE(near(two.down[i], one.down[i] * 2, 1e-6)) << i;
  ControlResiduals sum;
  sd::add(sum, one);
  sd::add(sum, one);
  EXPECT_TRUE(near(both.output(&sum), both.output(&two), 1e-5));
}

TEST(SdControlNet, OneHintServesTheWholeBatch) {
  const c10::InferenceMode guard;
  const Both both;
  const at::Tensor first = both.picture.narrow(0, 0, 1);
  const auto run = [&](const at::Tensor& picture) {
    return both.control(both.in.latents, both.in.timestep, both.in.context, {}, both.control.embed(picture)).middle;
  };
  EXPECT_TRUE(near(run(first), run(at::cat({first, first})), 1e-5));
}

TEST(SdControlNet, GradientsReachEveryWeight) {
  InitSource init(1);
  const ControlNet control(Scope(init, {}), tiny_control());
  const SdInputs in(tiny_unet());
  const auto residuals = control(in.latents, in.timestep, in.context, {}, control.embed(randn({2, 3, 10, 14}, 6)));
  at::Tensor loss = residuals.middle.square().mean();
  for (const auto& residual : residuals.down) loss = loss + residual.square().mean();
  loss.backward();
  for (const auto& [name, weight] : init.named()) {
    ASSERT_TRUE(weight.grad().defined()) << name;
    EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
  }
}

TEST(SdControlNet, RefusesPicturesAndHintsOfOtherShapes) {
  const c10::InferenceMode guard;
  const Both both;
  const auto embed = [&](const at::Tensor& picture) { return kind_of([&] { both.control.embed(picture); }); };
  EXPECT_EQ(embed(both.picture.narrow(1, 0, 2)), ErrorKind::shape);
  EXPECT_EQ(embed(both.picture.narrow(2, 0, 9)), ErrorKind::shape);
  EXPECT_EQ(embed(both.picture.narrow(2, 0, 0)), ErrorKind::shape);
  EXPECT_EQ(embed(both.picture[0]), ErrorKind::shape);
  const at::Tensor hint = both.control.embed(both.picture);
  const auto run = [&](const at::Tensor& latents, const at::Tensor& given) {
    return kind_of([&] { both.control(latents, both.in.timestep, both.in.context, {}, given); });
  };
  EXPECT_EQ(run(both.in.latents, hint.narrow(3, 0, 6)), ErrorKind::shape);
  EXPECT_EQ(run(both.in.latents, at::cat({hint, hint})), ErrorKind::shape);
  EXPECT_EQ(run(both.in.latents, at::Tensor(hint[0])), ErrorKind::shape);
  EXPECT_EQ(run(at::cat({both.in.latents, both.in.latents}, 1), hint), ErrorKind::shape);
}

TEST(SdControlNet, ResidualsThatAreNotFiniteAreNamed) {
  const c10::InferenceMode guard;
  const Both both;
  ControlResiduals residuals = both.residuals();
  const auto first = [&] {
    return both.unet.first_non_finite(both.in.latents, both.in.timestep, both.in.context, {}, &residuals);
  };
  EXPECT_EQ(first(), "");
  residuals.down[0] = residuals.down[0] / 0;
  EXPECT_EQ(first(), "control residuals");
}

TEST(SdControlNet, ResidualsOfAnotherModelAreRefused) {
  const c10::InferenceMode guard;
  const Both both;
  const auto with = [&](auto&& change) {
    ControlResiduals residuals = both.residuals();
    change(residuals);
    return kind_of([&] { both.output(&residuals); });
  };
  EXPECT_EQ(with([](auto& x) { x.down.pop_back(); }), ErrorKind::shape);
  EXPECT_EQ(with([](auto& x) { x.down[1] = x.down[1].narrow(1, 0, 8); }), ErrorKind::shape);
  EXPECT_EQ(with([](auto& x) { x.down[0] = x.down[0].narrow(3, 0, 6); }), ErrorKind::shape);
  EXPECT_EQ(with([](auto& x) { x.middle = x.middle.narrow(0, 0, 1); }), ErrorKind::shape);
  const auto sum = [&](auto&& change) {
    ControlResiduals total = both.residuals(), more = both.residuals();
    change(more);
    return kind_of([&] { sd::add(total, more); });
  };
  EXPECT_EQ(sum([](auto& x) { x.down.pop_back(); }), ErrorKind::shape);
  EXPECT_EQ(sum([](auto& x) { x.down[1] = x.down[1].narrow(1, 0, 8); }), ErrorKind::shape);
  EXPECT_EQ(sum([](auto& x) { x.middle = x.middle.narrow(2, 0, 2); }), ErrorKind::shape);
}

}  // namespace
}  // namespace keyflow
