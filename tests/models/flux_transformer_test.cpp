#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <c10/core/InferenceMode.h>

#include <limits>

#include "core/random.h"
#include "models/flux/packing.h"
#include "models/flux/transformer.h"
#include "tests/models/held_source.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using flux::Transformer;
using flux::TransformerConfig;
using tests::HeldSource;
using tests::kind_of;
using tests::near;
using weights::InitSource;
using weights::Scope;

TransformerConfig tiny(bool guidance = true) {
  TransformerConfig config;
  config.in_channels = 24;
  config.out_channels = 16;
  config.num_layers = 2;
  config.num_single_layers = 2;
  config.attention_head_dim = 12;
  config.num_attention_heads = 3;
  config.joint_attention_dim = 20;
  config.pooled_projection_dim = 10;
  config.guidance_embeds = guidance;
  config.axes_dims_rope = {2, 4, 6};
  return config;
}

struct Inputs {
  at::Tensor latents = randn({2, 6, 4, 10}, 1), timestep = randn({2}, 2).abs() * 300, text = randn({2, 5, 20}, 3),
             pooled = randn({2, 10}, 4), guidance = randn({2}, 5).abs() * 4;

  at::Tensor run(const Transformer& model) const {
    return model(latents, timestep, model.prepare(text, pooled, guidance));
  }
};

auto building(const TransformerConfig& config) {
  return [config](const Scope& w) { Transformer(w, config); };
}

TEST(FluxTransformer, ShapesOfAnOddSize) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const at::Tensor y = Inputs().run(model);
  EXPECT_EQ(shape_text(y.sizes()), "[2, 4, 4, 10]");
  EXPECT_EQ(y.scalar_type(), at::kFloat);
}

TEST(FluxTransformer, GradientsReachEveryWeight) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    InitSource init(1);
    const Transformer model(Scope(init, {type, type, type, at::kFloat}), tiny());
    Inputs().run(model).square().mean().backward();
    for (const auto& [name, weight] : init.named()) {
      ASSERT_TRUE(weight.grad().defined()) << name;
      if (type != at::kFloat) continue;
      EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
    }
  }
}

TEST(FluxTransformer, FusedPathsEqualTheDifferentiableOnes) {
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const at::Tensor plain = Inputs().run(model).detach();
  const c10::InferenceMode guard;
  EXPECT_TRUE(near(Inputs().run(model), plain, 1e-5));
}

TEST(FluxTransformer, OneContextServesAllSteps) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const Inputs in;
  const flux::Context context = model.prepare(in.text, in.pooled, in.guidance);
  const at::Tensor first = model(in.latents, in.timestep, context);
  EXPECT_FALSE(near(model(in.latents, in.timestep / 2, context), first, 1e-3));
  EXPECT_TRUE(model(in.latents, in.timestep, context).equal(first));
}

TEST(FluxTransformer, EveryInputCounts) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const Inputs in;
  const at::Tensor base = in.run(model);
  for (at::Tensor Inputs::*input : {&Inputs::text, &Inputs::pooled, &Inputs::guidance, &Inputs::latents}) {
    Inputs other;
    other.*input = other.*input * 1.5;
    EXPECT_FALSE(near(other.run(model), base, 1e-4));
  }
}

TEST(FluxTransformer, BatchEqualsOneByOne) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const Inputs in;
  const at::Tensor both = in.run(model);
  for (const int64_t i : {0, 1}) {
    const auto one = [i](const at::Tensor& x) { return x.narrow(0, i, 1); };
    const Inputs alone{one(in.latents), one(in.timestep), one(in.text), one(in.pooled), one(in.guidance)};
    EXPECT_TRUE(near(alone.run(model), one(both), 1e-5)) << i;
  }
}

TEST(FluxTransformer, SingleBlockInRunsOfTokensEqualsWhole) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const flux::SingleBlock block(Scope(init, {}), tiny());
  const at::Tensor x = randn({2, 23, 36}, 5), condition = randn({2, 36}, 6);
  const at::Tensor table = randn({23, 6}, 7).to(at::kComplexFloat);
  const at::Tensor whole = block(x.clone(), condition, table);
  EXPECT_FALSE(near(whole, x, 1e-3));
  for (const int64_t tokens : {1, 14, 45}) {
    EXPECT_TRUE(near(block(x.clone(), condition, table, tokens), whole, 1e-6)) << tokens;
  }
}

TEST(FluxTransformer, OneAndTwoThreadsGiveTheSame) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = Inputs().run(model);
  at::set_num_threads(2);
  const at::Tensor two = Inputs().run(model);
  at::set_num_threads(before);
  EXPECT_TRUE(near(two, one, 1e-5));
}

TEST(FluxTransformer, HalfWeightsStayWhereTheyAre) {
  HeldSource source(building(tiny()), at::kBFloat16);  // one handle; the model holds another unless it converted
  const Transformer model(Scope(source, {}), tiny());
  for (const auto& [name, tensor] : source.tensors) {
    if (tensor.dim() == 2) {
      EXPECT_GT(tensor.use_count(), 1) << name << " was copied";
    }
  }
}

TEST(FluxTransformer, NamesTheFirstModuleThatIsNotFinite) {
  const c10::InferenceMode guard;
  const Inputs in;
  const std::map<std::string, std::string> cases{
      {"x_embedder.bias", "x_embedder"},
      {"time_text_embed.timestep_embedder.linear_1.bias", "time_text_embed"},
      {"transformer_blocks.1.ff.net.2.bias", "transformer_blocks.1"},
      {"transformer_blocks.0.ff_context.net.2.bias", "transformer_blocks.0 (text)"},
      {"single_transformer_blocks.1.proj_mlp.bias", "single_transformer_blocks.1"},
      {"norm_out.scale.weight", "proj_out"}};
  for (const auto& [weight, module] : cases) {
    HeldSource source(building(tiny()));
    source.tensors.at(weight).view(-1)[3] = std::numeric_limits<float>::infinity();
    const Transformer model(Scope(source, {}), tiny());
    const flux::Context context = model.prepare(in.text, in.pooled, in.guidance);
    EXPECT_EQ(model.first_non_finite(in.latents, in.timestep, context), module) << weight;
  }
  HeldSource source(building(tiny()));
  const Transformer model(Scope(source, {}), tiny());
  const flux::Context context = model.prepare(in.text, in.pooled, in.guidance);
  EXPECT_EQ(model.first_non_finite(in.latents, in.timestep, context), "");
  EXPECT_EQ(model.first_non_finite(in.latents / 0, in.timestep, context), "latents");
}

TEST(FluxTransformer, RefusesAnEmbeddingThatIsNotFinite) {
  const c10::InferenceMode guard;
  const Inputs in;
  for (const std::string weight : {"context_embedder.bias", "time_text_embed.guidance_embedder.linear_2.bias"}) {
    HeldSource source(building(tiny()));
    source.tensors.at(weight)[3] = std::numeric_limits<float>::quiet_NaN();
    const Transformer model(Scope(source, {}), tiny());
    EXPECT_EQ(kind_of([&] { model.prepare(in.text, in.pooled, in.guidance); }), ErrorKind::numeric) << weight;
  }
}

TEST(FluxTransformer, RefusesInputsOfOtherShapes) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const Inputs in;
  const flux::Context context = model.prepare(in.text, in.pooled, in.guidance);
  const auto running = [&](const at::Tensor& latents, const at::Tensor& timestep) {
    return kind_of([&] { model(latents, timestep, context); });
  };
  EXPECT_EQ(running(in.latents.narrow(1, 0, 4), in.timestep), ErrorKind::shape);
  EXPECT_EQ(running(in.latents.narrow(2, 0, 3), in.timestep), ErrorKind::shape);
  EXPECT_EQ(running(in.latents, in.timestep.narrow(0, 0, 1)), ErrorKind::shape);
  EXPECT_EQ(running(in.latents.narrow(0, 0, 1), in.timestep.narrow(0, 0, 1)), ErrorKind::shape);
  EXPECT_EQ(running(in.latents[0], in.timestep), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { model.prepare(in.text.narrow(2, 0, 19), in.pooled, in.guidance); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { model.prepare(in.text, in.pooled.narrow(0, 0, 1), in.guidance); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { model.prepare(in.text, in.pooled, in.guidance.narrow(0, 0, 1)); }), ErrorKind::shape);
}

TEST(FluxTransformer, GuidanceIsForCheckpointsThatTakeIt) {
  const c10::InferenceMode guard;
  const Inputs in;
  InitSource first(1), second(1);
  const Transformer dev(Scope(first, {}), tiny()), schnell(Scope(second, {}), tiny(false));
  EXPECT_EQ(kind_of([&] { dev.prepare(in.text, in.pooled); }), ErrorKind::unsupported);
  EXPECT_EQ(kind_of([&] { schnell.prepare(in.text, in.pooled, in.guidance); }), ErrorKind::unsupported);
  EXPECT_NO_THROW(schnell.prepare(in.text, in.pooled));
}

TEST(FluxPacking, TokensHoldSquaresChannelsSlowest) {
  const at::Tensor latents = at::arange(2 * 4 * 6, at::kFloat).view({1, 2, 4, 6});
  const at::Tensor tokens = flux::pack(latents);
  ASSERT_EQ(shape_text(tokens.sizes()), "[1, 6, 8]");
  // The second token of the second row: rows 2 and 3, columns 2 and 3.
  const std::vector<float> expected{14, 15, 20, 21, 38, 39, 44, 45};
  for (int64_t i = 0; i < 8; ++i) EXPECT_EQ(tokens[0][4][i].item<float>(), expected[static_cast<size_t>(i)]);
  EXPECT_TRUE(flux::unpack(tokens, 4, 6).equal(latents));
  EXPECT_EQ(kind_of([&] { flux::unpack(tokens, 4, 4); }), ErrorKind::shape);
}

TEST(FluxPacking, MaskPixelsBecomeChannelsOfTheirLatent) {
  const at::Tensor mask = at::arange(16 * 24, at::kFloat).view({1, 1, 16, 24});
  const at::Tensor channels = flux::mask_channels(mask);
  ASSERT_EQ(shape_text(channels.sizes()), "[1, 64, 2, 3]");
  EXPECT_EQ(channels[0][8 * 5 + 3][1][2].item<float>(), mask[0][0][8 + 5][16 + 3].item<float>());
  EXPECT_EQ(kind_of([&] { flux::mask_channels(mask.narrow(3, 0, 23)); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { flux::mask_channels(mask.expand({1, 2, 16, 24})); }), ErrorKind::shape);
}

}  // namespace
}  // namespace keyflow
