#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <limits>

#include "core/random.h"
#include "models/sd3/transformer.h"
#include "tests/models/held_source.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using sd3::Transformer;
using sd3::TransformerConfig;
using tests::HeldSource;
using tests::kind_of;
using tests::near;
using weights::InitSource;
using weights::Scope;

/// SD3.5-medium in small: blocks with two attentions, one with a single one, and the last.
TransformerConfig tiny() {
  TransformerConfig config;
  config.in_channels = 4;
  config.out_channels = 3;
  config.num_layers = 3;
  config.attention_head_dim = 12;
  config.num_attention_heads = 3;
  config.joint_attention_dim = 20;
  config.pooled_projection_dim = 10;
  config.pos_embed_max_size = 7;
  config.dual_attention_layers = {0};
  config.qk_norm = true;
  return config;
}

struct Inputs {
  at::Tensor latents = randn({2, 4, 4, 10}, 1), timestep = randn({2}, 2).abs() * 300, text = randn({2, 5, 20}, 3),
             pooled = randn({2, 10}, 4);

  at::Tensor run(const Transformer& model) const { return model(latents, timestep, model.prepare(text, pooled)); }
};

auto building(const TransformerConfig& config) {
  return [config](const Scope& w) { Transformer(w, config); };
}

TEST(Sd3Transformer, ShapesOfAnOddSize) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const at::Tensor y = Inputs().run(model);
  EXPECT_EQ(shape_text(y.sizes()), "[2, 3, 4, 10]");
  EXPECT_EQ(y.scalar_type(), at::kFloat);
}

TEST(Sd3Transformer, GradientsReachEveryWeightThatCounts) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    InitSource init(1);
    const Transformer model(Scope(init, {type, type, type, at::kFloat}), tiny());
    Inputs().run(model).square().mean().backward();
    for (const auto& [name, weight] : init.named()) {
      // Nothing reads the text after the last block, so what its queries are does not matter; the files have them.
      if (name.starts_with("transformer_blocks.2.attn.add_q_proj.") ||
          name == "transformer_blocks.2.attn.norm_added_q.weight") {
        continue;
      }
      ASSERT_TRUE(weight.grad().defined()) << name;
      if (type != at::kFloat) continue;
      EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
    }
  }
}

TEST(Sd3Transformer, FusedPathsEqualTheDifferentiableOnes) {
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const at::Tensor plain = Inputs().run(model).detach();
  const c10::InferenceMode guard;
  EXPECT_TRUE(near(Inputs().run(model), plain, 1e-5));
}

TEST(Sd3Transformer, OneContextServesAllSteps) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const Inputs in;
  const sd3::Context context = model.prepare(in.text, in.pooled);
  const at::Tensor first = model(in.latents, in.timestep, context);
  EXPECT_FALSE(near(model(in.latents, in.timestep / 2, context), first, 1e-3));
  EXPECT_TRUE(model(in.latents, in.timestep, context).equal(first));
}

TEST(Sd3Transformer, EveryInputCounts) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const at::Tensor base = Inputs().run(model);
  for (at::Tensor Inputs::*input : {&Inputs::text, &Inputs::pooled, &Inputs::latents}) {
    Inputs other;
    other.*input = other.*input * 1.5;
    EXPECT_FALSE(near(other.run(model), base, 1e-4));
  }
}

TEST(Sd3Transformer, BatchEqualsOneByOne) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const Inputs in;
  const at::Tensor both = in.run(model);
  for (const int64_t i : {0, 1}) {
    const auto one = [i](const at::Tensor& x) { return x.narrow(0, i, 1); };
    const Inputs alone{one(in.latents), one(in.timestep), one(in.text), one(in.pooled)};
    EXPECT_TRUE(near(alone.run(model), one(both), 1e-5)) << i;
  }
}

TEST(Sd3Transformer, OneAndTwoThreadsGiveTheSame) {
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

TEST(Sd3Transformer, HalfWeightsStayWhereTheyAre) {
  HeldSource source(building(tiny()), at::kBFloat16);  // one handle; the model holds another unless it converted
  const Transformer model(Scope(source, {}), tiny());
  for (const auto& [name, tensor] : source.tensors) {
    if (tensor.dim() == 2 || name == "pos_embed.pos_embed") {
      EXPECT_GT(tensor.use_count(), 1) << name << " was copied";
    }
  }
}

TEST(Sd3Transformer, NamesTheFirstModuleThatIsNotFinite) {
  const c10::InferenceMode guard;
  const Inputs in;
  const std::map<std::string, std::string> cases{
      {"pos_embed.proj.bias", "pos_embed"},
      {"time_text_embed.timestep_embedder.linear_1.bias", "time_text_embed"},
      {"transformer_blocks.0.attn2.to_out.0.bias", "transformer_blocks.0"},
      {"transformer_blocks.0.ff_context.net.2.bias", "transformer_blocks.0 (text)"},
      {"transformer_blocks.2.norm1_context.shift.bias", "transformer_blocks.2"},
      {"norm_out.scale.weight", "proj_out"}};
  for (const auto& [weight, module] : cases) {
    HeldSource source(building(tiny()));
    source.tensors.at(weight).view(-1)[3] = std::numeric_limits<float>::infinity();
    const Transformer model(Scope(source, {}), tiny());
    const sd3::Context context = model.prepare(in.text, in.pooled);
    EXPECT_EQ(model.first_non_finite(in.latents, in.timestep, context), module) << weight;
  }
  HeldSource source(building(tiny()));
  const Transformer model(Scope(source, {}), tiny());
  const sd3::Context context = model.prepare(in.text, in.pooled);
  EXPECT_EQ(model.first_non_finite(in.latents, in.timestep, context), "");
  EXPECT_EQ(model.first_non_finite(in.latents / 0, in.timestep, context), "latents");
}

TEST(Sd3Transformer, RefusesAnEmbeddingThatIsNotFinite) {
  const c10::InferenceMode guard;
  const Inputs in;
  for (const std::string weight : {"context_embedder.bias", "time_text_embed.text_embedder.linear_2.bias"}) {
    HeldSource source(building(tiny()));
    source.tensors.at(weight)[3] = std::numeric_limits<float>::quiet_NaN();
    const Transformer model(Scope(source, {}), tiny());
    EXPECT_EQ(kind_of([&] { model.prepare(in.text, in.pooled); }), ErrorKind::numeric) << weight;
  }
}

TEST(Sd3Transformer, RefusesInputsOfOtherShapes) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const Transformer model(Scope(init, {}), tiny());
  const Inputs in;
  const sd3::Context context = model.prepare(in.text, in.pooled);
  const auto running = [&](const at::Tensor& latents, const at::Tensor& timestep, const std::vector<int64_t>& skip) {
    return kind_of([&] { model(latents, timestep, context, skip); });
  };
  EXPECT_EQ(running(in.latents.narrow(1, 0, 3), in.timestep, {}), ErrorKind::shape);
  EXPECT_EQ(running(in.latents.narrow(2, 0, 3), in.timestep, {}), ErrorKind::shape);
  EXPECT_EQ(running(in.latents, in.timestep.narrow(0, 0, 1), {}), ErrorKind::shape);
  EXPECT_EQ(running(in.latents.narrow(0, 0, 1), in.timestep.narrow(0, 0, 1), {}), ErrorKind::shape);
  EXPECT_EQ(running(randn({2, 4, 2, 16}, 1), in.timestep, {}), ErrorKind::shape);  // 8 tokens, a table of 7
  EXPECT_EQ(running(in.latents, in.timestep, {3}), ErrorKind::usage);
  EXPECT_EQ(running(in.latents, in.timestep, {-1}), ErrorKind::usage);
  EXPECT_EQ(kind_of([&] { model.prepare(in.text.narrow(2, 0, 19), in.pooled); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { model.prepare(in.text, in.pooled.narrow(0, 0, 1)); }), ErrorKind::shape);
}

}  // namespace
}  // namespace keyflow
