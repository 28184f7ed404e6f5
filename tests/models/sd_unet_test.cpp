#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <limits>
#include <map>

#include "tests/models/held_source.h"
#include "tests/models/sd_tiny.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using sd::UNet;
using sd::UNetConfig;
using tests::HeldSource;
using tests::kind_of;
using tests::near;
using tests::SdInputs;
using tests::tiny_sdxl;
using tests::tiny_unet;
using weights::InitSource;
using weights::Scope;

UNet fresh(const UNetConfig& config, const Compute& compute = {}) {
  InitSource init(1);
  return UNet(Scope(init, compute), config);
}

at::Tensor run(const UNet& unet, const SdInputs& in) { return unet(in.latents, in.timestep, in.context, in.added); }

TEST(SdUNet, TakesAnySizeDownToOnePixel) {
  const c10::InferenceMode guard;
  const UNet unet = fresh(tiny_sdxl());
  for (const auto& [H, W] : {std::pair<int64_t, int64_t>{5, 7}, {8, 2}, {1, 3}, {1, 1}}) {
    const at::Tensor y = run(unet, SdInputs(tiny_sdxl(), H, W));
    EXPECT_EQ(shape_text(y.sizes()), shape_text({2, 4, H, W}));
    EXPECT_EQ(y.scalar_type(), at::kFloat);
    EXPECT_TRUE(y.is_contiguous());
  }
}

TEST(SdUNet, MayHaveOneLevelAndAttentionInTheDeepest) {
  const c10::InferenceMode guard;
  UNetConfig config = tiny_unet();
  config.block_out_channels = {16}, config.transformer_layers = {2}, config.heads = {2};
  config.mid_transformer_layers = 2;
  EXPECT_EQ(shape_text(run(fresh(config), SdInputs(config)).sizes()), "[2, 4, 5, 7]");
}

TEST(SdUNet, GradientsReachEveryWeight) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    UNetConfig config = tiny_sdxl();
    config.time_cond_proj_dim = 4;
    InitSource init(1);
    const UNet unet(Scope(init, {type, type, type, at::kFloat}), config);
    SdInputs in(config);
    in.added.guidance = in.timestep / 100;
    run(unet, in).square().mean().backward();
    for (const auto& [name, weight] : init.named()) {
      ASSERT_TRUE(weight.grad().defined()) << name;
      if (type == at::kFloat) {
        EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
      }
    }
  }
}

TEST(SdUNet, FusedPathsEqualTheDifferentiableOnes) {
  const UNet unet = fresh(tiny_sdxl());
  const SdInputs in(tiny_sdxl(), 13, 9);
  const at::Tensor plain = run(unet, in).detach();
  const c10::InferenceMode guard;
  EXPECT_TRUE(near(run(unet, in), plain, 1e-5));
}

TEST(SdUNet, LeavesItsInputsAlone) {
  const c10::InferenceMode guard;
  const UNet unet = fresh(tiny_unet());
  const SdInputs in(tiny_unet()), again(tiny_unet());
  const at::Tensor y = run(unet, in);
  EXPECT_TRUE(in.latents.equal(again.latents) && in.context.equal(again.context));
  EXPECT_TRUE(run(unet, in).equal(y));
}

TEST(SdUNet, BatchEqualsOneByOne) {
  const c10::InferenceMode guard;
  const UNet unet = fresh(tiny_sdxl());
  const SdInputs in(tiny_sdxl());
  const at::Tensor both = run(unet, in);
  for (const int64_t i : {0, 1}) {
    const auto one = [i](const at::Tensor& x) { return x.narrow(0, i, 1); };
    const at::Tensor y =
        unet(one(in.latents), one(in.timestep), one(in.context), {one(in.added.pooled), one(in.added.time_ids), {}});
    EXPECT_TRUE(near(y, one(both), 1e-5)) << i;
  }
}

TEST(SdUNet, OneAndTwoThreadsGiveTheSame) {
  const c10::InferenceMode guard;
  const UNet unet = fresh(tiny_unet());
  const SdInputs in(tiny_unet(), 16, 24);
  const auto with = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    const at::Tensor y = run(unet, in);
    at::set_num_threads(before);
    return y;
  };
  EXPECT_TRUE(near(with(2), with(1), 1e-5));
}

TEST(SdUNet, EveryConditionMatters) {
  const c10::InferenceMode guard;
  UNetConfig config = tiny_sdxl();
  config.time_cond_proj_dim = 4;
  const UNet unet = fresh(config);
  SdInputs in(config);
  in.added.guidance = in.timestep / 100;
  const at::Tensor y = run(unet, in);
  for (at::Tensor* const condition :
       {&in.timestep, &in.context, &in.added.pooled, &in.added.time_ids, &in.added.guidance}) {
    const at::Tensor kept = *condition;
    *condition = kept * 2 + 1;
    EXPECT_FALSE(near(run(unet, in), y, 1e-4));
    *condition = kept;
  }
}

TEST(SdUNet, HalfWeightsStayWhereTheyAre) {
  HeldSource source([](const Scope& w) { UNet(w, tiny_sdxl()); }, at::kBFloat16);
  const UNet unet(Scope(source, {}), tiny_sdxl());
  for (const auto& [name, tensor] : source.tensors) {
    if (tensor.dim() == 2) {
      EXPECT_GT(tensor.use_count(), 1) << name << " was copied";
    }
  }
}

TEST(SdUNet, NamesTheFirstModuleThatIsNotFinite) {
  const c10::InferenceMode guard;
  const SdInputs in(tiny_sdxl());
  const std::map<std::string, std::string> cases{
      {"time_embedding.linear_2.bias", "time_embedding"},
      {"add_embedding.linear_1.bias", "time_embedding"},
      {"conv_in.bias", "conv_in"},
      {"down_blocks.0.resnets.0.conv1.bias", "down_blocks.0.resnets.0"},
      {"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.weight", "down_blocks.0.attentions.0"},
      {"down_blocks.0.downsamplers.0.conv.bias", "down_blocks.0.downsamplers.0"},
      {"mid_block.resnets.0.norm2.bias", "mid_block.resnets.0"},
      {"mid_block.attentions.0.proj_out.bias", "mid_block.attentions.0"},
      {"mid_block.resnets.1.time_emb_proj.bias", "mid_block.resnets.1"},
      {"up_blocks.0.resnets.1.conv_shortcut.bias", "up_blocks.0.resnets.1"},
      {"up_blocks.0.upsamplers.0.conv.bias", "up_blocks.0.upsamplers.0"},
      {"up_blocks.1.attentions.1.norm.weight", "up_blocks.1.attentions.1"},
      {"conv_norm_out.weight", "conv_out"}};
  const auto first = [&](const UNet& unet) {
    return unet.first_non_finite(in.latents, in.timestep, in.context, in.added);
  };
  for (const auto& [weight, module] : cases) {
    HeldSource source([](const Scope& w) { UNet(w, tiny_sdxl()); });
    source.tensors.at(weight).view(-1)[3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(first(UNet(Scope(source, {}), tiny_sdxl())), module) << weight;
  }
  const UNet unet = fresh(tiny_sdxl());
  EXPECT_EQ(first(unet), "");
  EXPECT_EQ(unet.first_non_finite(in.latents / 0, in.timestep, in.context, in.added), "latents");
  EXPECT_EQ(unet.first_non_finite(in.latents, in.timestep, in.context / 0, in.added), "context");
}

TEST(SdUNet, RefusesInputsOfOtherShapes) {
  const c10::InferenceMode guard;
  const UNet plain = fresh(tiny_unet()), sdxl = fresh(tiny_sdxl());
  const SdInputs in(tiny_sdxl());
  const auto refused = [&](const UNet& unet, const SdInputs& inputs) {
    return kind_of([&] { run(unet, inputs); }) == ErrorKind::shape;
  };
  const auto changed = [&](auto&& change) {
    SdInputs copy = in;
    change(copy);
    return copy;
  };
  EXPECT_FALSE(refused(sdxl, in));
  EXPECT_TRUE(refused(plain, in)) << "conditions it was not trained with";
  EXPECT_TRUE(refused(sdxl, SdInputs(tiny_unet()))) << "conditions missing";
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.latents = x.latents[0]; })));
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.latents = x.latents.narrow(1, 0, 3); })));
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.latents = x.latents.narrow(2, 0, 0); })));
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.timestep = x.timestep.narrow(0, 0, 1); })));
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.context = x.context.narrow(2, 0, 11); })));
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.context = x.context.narrow(1, 0, 0); })));
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.context = x.context.narrow(0, 0, 1); })));
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.added.time_ids = x.added.time_ids.narrow(1, 0, 5); })));
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.added.pooled = x.added.pooled.narrow(0, 0, 1); })));
  EXPECT_TRUE(refused(sdxl, changed([](auto& x) { x.added.guidance = x.timestep; })));
}

}  // namespace
}  // namespace keyflow
