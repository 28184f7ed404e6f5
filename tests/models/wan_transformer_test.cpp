#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <limits>

#include "core/random.h"
#include "models/wan/transformer.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

using tests::near;
using wan::Transformer;
using wan::TransformerConfig;
using weights::InitSource;
using weights::Scope;

TransformerConfig tiny(int64_t image_dim, int64_t image_pos_len = 0) {
  TransformerConfig config;
  config.in_dim = image_dim ? 12 : 4;
  config.out_dim = 4;
  config.dim = 48;
  config.ffn_dim = 64;
  config.num_heads = 2;
  config.num_layers = 2;
  config.freq_dim = 32;
  config.text_dim = 20;
  config.text_len = 7;
  config.image_dim = image_dim;
  config.image_pos_len = image_pos_len;
  return config;
}

/// The tensors of an InitSource, changed by hand where a test wants it.
class HeldSource final : public weights::Source {
 public:
  explicit HeldSource(const TransformerConfig& config, at::ScalarType type = at::kFloat) {
    InitSource init(3);
    Transformer(Scope(init, {}), config);
    for (const auto& [name, tensor] : init.named()) tensors[name] = tensor.detach().to(type);
  }
  at::Tensor get(const std::string& name, at::IntArrayRef, weights::Init, int64_t) override { return tensors.at(name); }
  std::map<std::string, at::Tensor> tensors;
};

struct Inputs {
  explicit Inputs(const TransformerConfig& config)
      : latents(randn({2, config.in_dim, 3, 4, 6}, 1)),
        timestep(randn({2}, 2).abs() * 500),
        text(randn({2, 5, 20}, 3)) {
    if (config.image_dim) image = randn({2, 6, config.image_dim}, 4);
  }
  at::Tensor latents, timestep, text, image;
};

TEST(WanTransformer, ShapesOfAnOddSize) {
  const c10::InferenceMode guard;
  const auto config = tiny(10);
  InitSource init(1);
  const Transformer model(Scope(init, {}), config);
  const Inputs in(config);
  const at::Tensor y = model(in.latents, in.timestep, model.prepare(in.text, in.image));
  EXPECT_EQ(shape_text(y.sizes()), "[2, 4, 3, 4, 6]");
  EXPECT_EQ(y.scalar_type(), at::kFloat);
}

TEST(WanTransformer, GradientsReachEveryWeight) {
  const auto config = tiny(10, 6);
  InitSource init(1);
  const Transformer model(Scope(init, {}), config);
  const Inputs in(config);
  model(in.latents, in.timestep, model.prepare(in.text, in.image)).square().mean().backward();
  for (const auto& [name, weight] : init.named()) {
    ASSERT_TRUE(weight.grad().defined()) << name;
    EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
  }
}

TEST(WanTransformer, GradientsReachEveryWeightInHalfTypes) {
  const auto config = tiny(10, 6);
  InitSource init(1);
  const Transformer model(Scope(init, {at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kFloat}), config);
  const Inputs in(config);
  model(in.latents, in.timestep, model.prepare(in.text, in.image)).square().mean().backward();
  for (const auto& [name, weight] : init.named()) ASSERT_TRUE(weight.grad().defined()) << name;
}

TEST(WanTransformer, FusedPathsEqualTheDifferentiableOnes) {
  const auto config = tiny(10);
  InitSource init(1);
  const Transformer model(Scope(init, {}), config);
  const Inputs in(config);
  const at::Tensor plain = model(in.latents, in.timestep, model.prepare(in.text, in.image)).detach();
  const c10::InferenceMode guard;
  EXPECT_TRUE(near(model(in.latents, in.timestep, model.prepare(in.text, in.image)), plain, 1e-5));
}

TEST(WanTransformer, ShortTextIsPaddedWithZerosThatAreAttended) {
  const c10::InferenceMode guard;
  const auto config = tiny(0);
  InitSource init(1);
  const Transformer model(Scope(init, {}), config);
  const Inputs in(config);
  const at::Tensor padded = at::cat({in.text, at::zeros({2, 2, 20})}, 1);
  const auto run = [&](const at::Tensor& text) { return model(in.latents, in.timestep, model.prepare(text)); };
  EXPECT_TRUE(run(in.text).equal(run(padded)));
  EXPECT_FALSE(near(run(in.text), run(at::cat({in.text, in.text.narrow(1, 0, 2)}, 1)), 1e-4));
}

TEST(WanTransformer, OneContextServesAllSteps) {
  const c10::InferenceMode guard;
  const auto config = tiny(10);
  InitSource init(1);
  const Transformer model(Scope(init, {}), config);
  const Inputs in(config);
  const wan::Context context = model.prepare(in.text, in.image);
  const at::Tensor first = model(in.latents, in.timestep, context);
  const at::Tensor second = model(first.repeat({1, 3, 1, 1, 1}), in.timestep / 2, context);
  const at::Tensor fresh = model(first.repeat({1, 3, 1, 1, 1}), in.timestep / 2, model.prepare(in.text, in.image));
  EXPECT_TRUE(second.equal(fresh));
  EXPECT_TRUE(model(in.latents, in.timestep, context).equal(first));
}

TEST(WanTransformer, AnotherTextSharesThePictures) {
  const c10::InferenceMode guard;
  const auto config = tiny(10);
  InitSource init(1);
  const Transformer model(Scope(init, {}), config);
  const Inputs in(config);
  const wan::Context context = model.prepare(in.text, in.image);
  const wan::Context negative = model.with_text(context, in.text * 2);
  EXPECT_TRUE(negative.image[1].key.is_same(context.image[1].key));
  EXPECT_TRUE(model(in.latents, in.timestep, negative)
                  .equal(model(in.latents, in.timestep, model.prepare(in.text * 2, in.image))));
}

TEST(WanTransformer, BatchEqualsOneByOne) {
  const c10::InferenceMode guard;
  const auto config = tiny(10);
  InitSource init(1);
  const Transformer model(Scope(init, {}), config);
  const Inputs in(config);
  const at::Tensor both = model(in.latents, in.timestep, model.prepare(in.text, in.image));
  for (const int64_t i : {0, 1}) {
    const auto one = [i](const at::Tensor& x) { return x.narrow(0, i, 1); };
    const at::Tensor y = model(one(in.latents), one(in.timestep), model.prepare(one(in.text), one(in.image)));
    EXPECT_TRUE(near(y, one(both), 1e-5)) << i;
  }
}

TEST(WanTransformer, FeedForwardInBlocksOfTokensEqualsWhole) {
  const c10::InferenceMode guard;
  const auto config = tiny(0);
  InitSource init(1);
  const wan::TransformerBlock block(Scope(init, {}), config);
  const at::Tensor x = randn({2, 23, 48}, 5);
  const wan::Modulation m = block.modulation(randn({2, 6, 48}, 6));
  const at::Tensor whole = block.feed_forward(x.clone(), m);
  for (const int64_t tokens : {1, 14, 45})
    EXPECT_TRUE(near(block.feed_forward(x.clone(), m, tokens), whole, 1e-6)) << tokens;
}

TEST(WanTransformer, OneAndTwoThreadsGiveTheSame) {
  const c10::InferenceMode guard;
  const auto config = tiny(10);
  InitSource init(1);
  const Transformer model(Scope(init, {}), config);
  const Inputs in(config);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = model(in.latents, in.timestep, model.prepare(in.text, in.image));
  at::set_num_threads(2);
  const at::Tensor two = model(in.latents, in.timestep, model.prepare(in.text, in.image));
  at::set_num_threads(before);
  EXPECT_TRUE(near(two, one, 1e-5));
}

TEST(WanTransformer, HalfWeightsStayWhereTheyAre) {
  const auto config = tiny(10);
  HeldSource source(config, at::kBFloat16);  // holds one handle; the model holds another unless it converted
  const Transformer model(Scope(source, {}), config);
  for (const auto& [name, tensor] : source.tensors) {
    if (tensor.dim() == 2) {
      EXPECT_GT(tensor.use_count(), 1) << name << " was copied";
    }
  }
}

TEST(WanTransformer, NamesTheFirstModuleThatIsNotFinite) {
  const c10::InferenceMode guard;
  const auto config = tiny(10);
  const Inputs in(config);
  const std::map<std::string, std::string> cases{{"patch_embedding.bias", "patch_embedding"},
                                                 {"time_embedding.0.bias", "time_embedding"},
                                                 {"time_projection.1.bias", "time_projection"},
                                                 {"blocks.0.self_attn.o.bias", "blocks.0.self_attn"},
                                                 {"blocks.1.norm3.bias", "blocks.1.cross_attn"},
                                                 {"blocks.1.ffn.2.weight", "blocks.1.ffn"},
                                                 {"blocks.1.cross_attn.v.bias", "blocks.1.cross_attn (text)"},
                                                 {"blocks.0.cross_attn.k_img.bias", "blocks.0.cross_attn (image)"},
                                                 {"head.modulation", "head"}};
  for (const auto& [weight, module] : cases) {
    HeldSource source(config);
    source.tensors.at(weight).view(-1)[3] = std::numeric_limits<float>::infinity();
    const Transformer model(Scope(source, {}), config);
    EXPECT_EQ(model.first_non_finite(in.latents, in.timestep, model.prepare(in.text, in.image)), module) << weight;
  }
  HeldSource source(config);
  const Transformer model(Scope(source, {}), config);
  const wan::Context context = model.prepare(in.text, in.image);
  EXPECT_EQ(model.first_non_finite(in.latents, in.timestep, context), "");
  EXPECT_EQ(model.first_non_finite(in.latents / 0, in.timestep, context), "latents");
}

TEST(WanTransformer, RefusesAnEmbeddingThatIsNotFinite) {
  const c10::InferenceMode guard;
  const auto config = tiny(10);
  const Inputs in(config);
  for (const std::string weight : {"text_embedding.2.bias", "img_emb.proj.4.bias"}) {
    HeldSource source(config);
    source.tensors.at(weight)[3] = std::numeric_limits<float>::quiet_NaN();
    const Transformer model(Scope(source, {}), config);
    try {
      model.prepare(in.text, in.image);
      FAIL() << weight;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::numeric);
      EXPECT_NE(std::string(error.what()).find(weight.substr(0, weight.find('.'))), std::string::npos) << error.what();
    }
  }
}

TEST(WanTransformer, RefusesInputsOfOtherShapes) {
  const c10::InferenceMode guard;
  const auto config = tiny(10, 6);
  InitSource init(1);
  const Transformer model(Scope(init, {}), config);
  const Inputs in(config);
  const wan::Context context = model.prepare(in.text, in.image);
  const auto kind_of = [](auto&& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  };
  EXPECT_EQ(kind_of([&] { model(in.latents.narrow(1, 0, 4), in.timestep, context); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { model(in.latents.narrow(3, 0, 3), in.timestep, context); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { model(in.latents, in.timestep.narrow(0, 0, 1), context); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { model(in.latents, in.timestep, model.prepare(in.text.narrow(0, 0, 1))); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { model.prepare(randn({2, 8, 20}, 1)); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { model.prepare(in.text, in.image.narrow(1, 0, 5)); }), ErrorKind::shape);
  InitSource other(1);
  const Transformer plain(Scope(other, {}), tiny(0));
  EXPECT_EQ(kind_of([&] { plain.prepare(in.text, in.image); }), ErrorKind::unsupported);
}

}  // namespace
}  // namespace keyflow
