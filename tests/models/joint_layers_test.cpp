#include <ATen/ops/cat.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <c10/core/InferenceMode.h>

#include "core/random.h"
#include "models/layers/embedding_mlp.h"
#include "models/layers/joint_stream.h"
#include "tests/models/held_source.h"
#include "tests/tensor_match.h"

namespace keyflow::layers {
namespace {

using tests::HeldSource;
using tests::near;
using weights::InitSource;
using weights::Scope;

TEST(AdaptiveNorm, ScalesAndShiftsByTheCondition) {
  const c10::InferenceMode guard;
  HeldSource source([](const Scope& w) { AdaptiveNorm(w, 6, 1e-6); });
  const AdaptiveNorm norm(Scope(source, {}), 6, 1e-6);
  const at::Tensor x = randn({2, 5, 6}, 1), condition = randn({2, 6}, 2);
  const auto part = [&](const std::string& name) {
    return at::linear(condition, source.tensors.at(name + ".weight"), source.tensors.at(name + ".bias")).unsqueeze(1);
  };
  const at::Tensor expected = at::layer_norm(x, {6}, {}, {}, 1e-6) * (1 + part("scale")) + part("shift");
  EXPECT_TRUE(near(norm(x, condition, at::kFloat), expected, 1e-6));
}

TEST(ModulationProjection, CutsThePartsInTheOrderOfTheStack) {
  const c10::InferenceMode guard;
  HeldSource source([](const Scope& w) { ModulationProjection(w, 4, 6); });
  const auto parts = ModulationProjection(Scope(source, {}), 4, 6)(randn({2, 4}, 1));
  ASSERT_EQ(parts.size(), 6u);
  const at::Tensor whole =
      at::linear(randn({2, 4}, 1), source.tensors.at("linear.weight"), source.tensors.at("linear.bias"));
  EXPECT_TRUE(at::cat(parts, 2).squeeze(1).equal(whole));
  const Modulation m = modulation_of(parts);
  EXPECT_TRUE(m.shift_attn.equal(parts[0]) && m.scale_attn.equal(parts[1]) && m.gate_attn.equal(parts[2]));
  EXPECT_TRUE(m.shift_ffn.equal(parts[3]) && m.scale_ffn.equal(parts[4]) && m.gate_ffn.equal(parts[5]));
}

TEST(EmbeddingMlp, HasItsSiluBetweenTheLayers) {
  const c10::InferenceMode guard;
  HeldSource source([](const Scope& w) { EmbeddingMlp(w, 4, 6); });
  const auto layer = [&](const std::string& name, const at::Tensor& x) {
    return at::linear(x, source.tensors.at(name + ".weight"), source.tensors.at(name + ".bias"));
  };
  const at::Tensor x = randn({2, 4}, 1);
  EXPECT_TRUE(near(EmbeddingMlp(Scope(source, {}), 4, 6)(x), layer("linear_2", at::silu(layer("linear_1", x))), 1e-6));
}

TEST(Heads, JoinedStreamsAttendToEachOther) {
  const c10::InferenceMode guard;
  const HeadSizes sizes{2, 6, QkNorm::none, 1e-6};
  InitSource init(1);
  const HeadProjection picture(Scope(init, {}), kPictureProjections, sizes);
  const HeadProjection text(Scope(init, {}), kTextProjections, sizes);
  const Heads a = picture(randn({2, 5, 12}, 1)), b = text(randn({2, 3, 12}, 2)), both = join(a, b);
  ASSERT_EQ(shape_text(both.query.sizes()), "[2, 2, 8, 6]");
  EXPECT_TRUE(both.key.narrow(2, 0, 5).equal(a.key) && both.value.narrow(2, 5, 3).equal(b.value));
  const at::Tensor scores = both.query.matmul(both.key.transpose(2, 3)) / std::sqrt(6.0);
  const at::Tensor expected = at::softmax(scores, 3).matmul(both.value).transpose(1, 2).flatten(2);
  EXPECT_TRUE(near(attend(both), expected, 1e-5));
}

TEST(HeadProjection, NormsMakeQueriesAndKeysOfUnitSize) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const HeadProjection heads(Scope(init, {}), kPictureProjections, {3, 4, QkNorm::rms, 1e-6});
  const Heads h = heads(randn({2, 5, 12}, 1) * 30);
  for (const auto& x : {h.query, h.key}) EXPECT_NEAR(x.square().mean().item<double>(), 1, 1e-4);
  EXPECT_GT(h.value.square().mean().item<double>(), 2);
}

TEST(JointStream, FeedForwardInRunsOfTokensEqualsWhole) {
  const c10::InferenceMode guard;
  InitSource init(1);
  const JointStream stream(Scope(init, {}), kPictureStream, {3, 8});
  std::vector<at::Tensor> parts;
  for (uint64_t i = 0; i < 6; ++i) parts.push_back(randn({2, 1, 24}, 10 + i));
  const Modulation m = modulation_of(parts);
  const at::Tensor x = randn({2, 23, 24}, 5), whole = stream.feed_forward(x.clone(), m);
  EXPECT_FALSE(near(whole, x, 1e-3));
  for (const int64_t tokens : {1, 14, 45}) {
    EXPECT_TRUE(near(stream.feed_forward(x.clone(), m, tokens), whole, 1e-6)) << tokens;
  }
}

}  // namespace
}  // namespace keyflow::layers
