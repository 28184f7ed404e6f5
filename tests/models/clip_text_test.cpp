#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/random.h"
#include "models/clip/text.h"
#include "tests/manifest.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using clip::TextConfig;
using clip::TextKeys;
using clip::TextModel;
using clip::TextSpelling;
using weights::Scope;

TextConfig tiny() {
  TextConfig config;
  config.vocab_size = 20;
  config.hidden_size = 32;
  config.intermediate_size = 40;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 2;
  config.max_position_embeddings = 9;
  config.projection_dim = 12;
  config.eos_token_id = 19;
  return config;
}

at::Tensor ids(std::vector<int64_t> values) { return at::tensor(values).unsqueeze(0); }

TEST(ClipText, GradientsReachEveryWeightAndTheLearnedEmbeddings) {
  weights::InitSource init(1);
  const TextModel model(Scope(init, {}), tiny());
  const at::Tensor extra = randn({1, 32}, 2).requires_grad_(), prompt = ids({18, 3, 20, 19});
  const auto states = model.hidden_states(prompt, extra);
  const at::Tensor pooled = model.project(model.pool(states.back(), prompt));
  EXPECT_EQ(shape_text(pooled.sizes()), "[1, 12]");
  pooled.square().sum().backward();
  for (const auto& [name, weight] : init.named()) EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
  EXPECT_GT(extra.grad().abs().max().item<float>(), 0);
}

TEST(ClipText, LaterTokensChangeNothingBefore) {
  const c10::InferenceMode guard;
  weights::InitSource init(1);
  const TextModel model(Scope(init, {}), tiny());
  const at::Tensor a = model.hidden_states(ids({18, 3, 4, 5, 19})).back(),
                   b = model.hidden_states(ids({18, 3, 4, 9, 19})).back();
  EXPECT_TRUE(tests::near(a.narrow(1, 0, 3), b.narrow(1, 0, 3), 1e-6));
  EXPECT_FALSE(tests::near(a.narrow(1, 3, 2), b.narrow(1, 3, 2), 1e-3));
}

TEST(ClipText, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  weights::InitSource init(1), again(1);
  const at::Tensor prompt = ids({18, 3, 4, 5, 19});
  const TextModel full(Scope(init, {}), tiny());
  const TextModel half(Scope(again, {at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kBFloat16}), tiny());
  EXPECT_TRUE(tests::near(half.hidden_states(prompt).back(), full.hidden_states(prompt).back(), 2e-2));
}

TEST(ClipText, RefusesWhatItCannotEncode) {
  const c10::InferenceMode guard;
  weights::InitSource init(1);
  const TextModel model(Scope(init, {}), tiny());
  const auto usage = [](auto&& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.kind() == ErrorKind::usage;
    }
    return false;
  };
  EXPECT_TRUE(usage([&] { model.hidden_states(ids({18, 20})); }));
  EXPECT_TRUE(usage([&] { model.hidden_states(ids({18, -1})); }));
  EXPECT_TRUE(usage([&] { model.hidden_states(ids({1, 2, 3, 4, 5, 6, 7, 8, 9, 10})); }));
  EXPECT_TRUE(usage([&] { model.pool(model.hidden_states(ids({18, 3}))[3], ids({18, 3})); }));
  EXPECT_THROW(model.hidden_states(ids({18, 20}), randn({1, 31}, 2)), Error);
}

TEST(ClipText, ConfigRefusesWhatItDoesNotKnow) {
  const auto refused = [](const nlohmann::json& object) {
    try {
      clip::text_config_from_json(object, "config.json");
    } catch (const Error& error) {
      return error.kind() == ErrorKind::config;
    }
    return false;
  };
  EXPECT_TRUE(refused({{"hidden_sizes", 4}}));
  EXPECT_TRUE(refused({{"hidden_act", "relu"}}));
  EXPECT_TRUE(refused({{"model_type", "clip_vision_model"}}));
  EXPECT_TRUE(refused({{"num_attention_heads", 7}}));
  EXPECT_TRUE(refused({{"max_position_embeddings", 0}}));
  EXPECT_TRUE(refused({{"eos_token_id", 60000}}));
  EXPECT_FALSE(refused({{"num_hidden_layers", 24}, {"transformers_version", "5.23.0"}, {"projection_dim", nullptr}}));
}

TEST(ClipText, AProjectionCountsOnlyWhereTheArchitectureHasOne) {
  nlohmann::json object = {{"architectures", {"CLIPTextModel"}}, {"projection_dim", 512}};
  EXPECT_EQ(clip::text_config_from_json(object, "config.json").projection_dim, 0);
  object["architectures"] = {"CLIPTextModelWithProjection"};
  EXPECT_EQ(clip::text_config_from_json(object, "config.json").projection_dim, 512);
}

TEST(ClipText, OpenClipStacksQueryKeyAndValueAndTurnsTheProjection) {
  const auto key = clip::to_openclip_name("encoder.layers.30.self_attn.k_proj.bias");
  EXPECT_EQ(key.name, "transformer.resblocks.30.attn.in_proj_bias");
  EXPECT_EQ(key.part, 1);
  EXPECT_EQ(key.parts, 3);
  EXPECT_TRUE(clip::to_openclip_name("text_projection.weight").transposed);
}

struct Published {
  const char *manifest, *config;
  size_t towers, which;
  TextSpelling spelling;
  const char* root;
};

class ClipTextManifest : public ::testing::TestWithParam<Published> {};

TEST_P(ClipTextManifest, IsWhatTheNetworkAsksFor) {
  const Published& published = GetParam();
  const auto list = tests::read_manifest(published.manifest);
  if (list.empty()) GTEST_SKIP() << "needs the shared data folder";
  const fs::path json = fs::path(KEYFLOW_SOURCE_DIR) / "configs/clip" / (std::string(published.config) + ".json");
  const auto towers = clip::text_towers(list);
  ASSERT_EQ(towers.size(), published.towers);
  const TextKeys& keys = towers[published.which];
  EXPECT_EQ(keys.spelling, published.spelling);
  EXPECT_EQ(keys.root(), published.root);
  const TextConfig config = clip::text_config_from_json(read_json(json), json.string());
  EXPECT_EQ(clip::to_json(clip::text_config_from_tensors(list, keys)), clip::to_json(config));
  const auto plan = weights::record([&](const Scope& w) { TextModel(w, config); });
  const auto report = plan.compare(list, keys.rename(), keys.ignore(config.num_hidden_layers));
  EXPECT_TRUE(report.matches()) << report.missing.size() << " missing, " << report.unexpected.size() << " unexpected, "
                                << report.shape.size() << " of another shape";
  // Nothing of the encoder's own but a score's scale and a list of positions is left alone.
  size_t own = 0, left = 0;
  for (const auto& info : list) {
    if (!info.name.starts_with(published.root)) continue;
    ++own;
    if (keys.ignore(config.num_hidden_layers)(info.name)) ++left;
  }
  EXPECT_LE(left, 1u);
  EXPECT_EQ(plan.as_file(keys.rename()).size(), own - left);
}

constexpr auto kPlain = TextSpelling::huggingface, kOpen = TextSpelling::openclip;
INSTANTIATE_TEST_SUITE_P(
    Files, ClipTextManifest,
    ::testing::Values(
        Published{"clip-l-text", "vit_l_14_text", 1, 0, kPlain, ""},
        Published{"clip-l-text-sd15", "vit_l_14_text", 1, 0, kPlain, ""},
        Published{"clip-bigG-text", "vit_bigg_14_text", 1, 0, kPlain, ""},
        Published{"sd15-single-file", "vit_l_14_text", 1, 0, kPlain, "cond_stage_model.transformer."},
        Published{"sdxl-single-file", "vit_l_14_text", 2, 0, kPlain, "conditioner.embedders.0.transformer."},
        Published{"sdxl-single-file", "vit_bigg_14_text", 2, 1, kOpen, "conditioner.embedders.1.model."},
        Published{"sd3-medium-incl-clips", "vit_bigg_14_text", 2, 1, kPlain, "text_encoders.clip_g.transformer."},
        Published{"sd3-medium-incl-clips", "vit_l_14_text", 2, 0, kPlain, "text_encoders.clip_l.transformer."}));

TEST(ClipTextManifest, NoneIsFoundWhereThereIsNone) {
  for (const char* name :
       {"wan-clip-xlm-roberta-vit-h-14", "wan-umt5-xxl-enc", "t5-xxl-enc", "sd35-medium-single-file"}) {
    EXPECT_TRUE(clip::text_towers(tests::read_manifest(name)).empty()) << name;
  }
}

TEST(ClipTextConfig, ReadsThePublishersFiles) {
  const fs::path folder = fs::path(KEYFLOW_SHARED_DATA) / "configs";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs the shared data folder";
  const auto read = [&](const char* name) {
    const fs::path path = folder / name / "config.json";
    return clip::text_config_from_json(read_json(path), path.string());
  };
  EXPECT_EQ(read("sd15/text_encoder").projection_dim, 0);
  EXPECT_EQ(read("sd15/text_encoder").eos_token_id, 2);
  EXPECT_EQ(read("sd21/text_encoder").num_hidden_layers, 23);
  EXPECT_EQ(read("sd21/text_encoder").hidden_act, "gelu");
  EXPECT_EQ(read("sdxl/text_encoder_2").projection_dim, 1280);
  EXPECT_EQ(read("sd3-medium/text_encoder").projection_dim, 768);
  EXPECT_EQ(read("flux1-dev/text_encoder").hidden_size, 768);
}

}  // namespace
}  // namespace keyflow
