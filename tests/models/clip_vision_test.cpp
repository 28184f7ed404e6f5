#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/random.h"
#include "models/clip/keys.h"
#include "models/clip/vision.h"
#include "tests/models/tensor_lists.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using clip::VisionConfig;
using clip::VisionTower;
using weights::Scope;

VisionConfig tiny() {
  VisionConfig config;
  config.hidden_size = 32;
  config.intermediate_size = 40;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 2;
  config.image_size = 12;
  config.patch_size = 4;
  return config;
}

TEST(ClipVision, GradientsReachEveryWeight) {
  weights::InitSource init(1);
  const VisionTower tower(Scope(init, {}), tiny());
  const at::Tensor y = tower(randn({2, 3, 12, 12}, 2));
  EXPECT_EQ(shape_text(y.sizes()), "[2, 10, 32]");
  y.square().mean().backward();
  for (const auto& [name, weight] : init.named()) {
    ASSERT_TRUE(weight.grad().defined()) << name;
    EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
  }
}

TEST(ClipVision, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  weights::InitSource init(1), again(1);
  const at::Tensor pixels = randn({2, 3, 12, 12}, 2);
  const VisionTower full(Scope(init, {}), tiny());
  const VisionTower half(Scope(again, {at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kBFloat16}), tiny());
  EXPECT_TRUE(tests::near(half(pixels), full(pixels), 2e-2));
}

TEST(ClipVision, RefusesPicturesOfAnotherSize) {
  weights::InitSource init(1);
  const VisionTower tower(Scope(init, {}), tiny());
  EXPECT_THROW(tower(randn({2, 3, 12, 16}, 2)), Error);
}

TEST(ClipVision, AsksForExactlyWhatWansFileHoldsAndRuns) {
  const fs::path list = fs::path(KEYFLOW_SHARED_DATA) / "manifests/wan-clip-xlm-roberta-vit-h-14.tsv";
  if (!fs::exists(list)) GTEST_SKIP() << "needs the shared data folder";
  const auto published = tests::read_list(list);
  const fs::path json = fs::path(KEYFLOW_SOURCE_DIR) / "configs/clip/vit_h_14.json";
  const VisionConfig config = clip::vision_config_from_json(read_json(json), json.string());
  const clip::VisionKeys keys = clip::vision_keys(published);
  EXPECT_EQ(keys.spelling, clip::Spelling::official);
  EXPECT_EQ(clip::to_json(clip::vision_config_from_tensors(published)), clip::to_json(config));
  const auto plan = weights::record([&](const Scope& w) { VisionTower(w, config); });
  const auto report = plan.compare(published, keys.rename(), keys.ignore(config.num_hidden_layers));
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty() && report.shape.empty())
      << report.missing.size() << " missing, " << report.unexpected.size() << " unexpected";
  int64_t asked = 0, left = 0;
  for (const auto& info : plan.as_file(keys.rename())) asked += info.numel();
  for (const auto& info : published) {
    if (info.name.starts_with("visual.") && keys.ignore(config.num_hidden_layers)(info.name)) left += info.numel();
  }
  EXPECT_EQ(asked + left, 632076800);
  // The last layer (four square matrices, the MLP, its biases and two norms), the norm after it and the projection.
  EXPECT_EQ(left, 4 * 1280 * 1280 + 2 * 1280 * 5120 + 4 * 1280 + 1280 + 5120 + 4 * 1280 + 2 * 1280 + 1280 * 1024);
}

TEST(ClipVision, ConfigRefusesWhatItDoesNotKnow) {
  const auto refused = [](const nlohmann::json& object) {
    try {
      clip::vision_config_from_json(object, "config.json");
    } catch (const Error& error) {
      return error.kind() == ErrorKind::config;
    }
    return false;
  };
  EXPECT_TRUE(refused({{"hidden_sizes", 4}}));
  EXPECT_TRUE(refused({{"hidden_act", "relu"}}));
  EXPECT_TRUE(refused({{"model_type", "siglip_vision_model"}}));
  EXPECT_TRUE(refused({{"image_size", 225}}));
  EXPECT_TRUE(refused({{"num_attention_heads", 7}}));
  EXPECT_TRUE(refused({{"patch_size", 0}}));
  EXPECT_FALSE(refused({{"num_hidden_layers", 24}, {"transformers_version", "5.23.0"}, {"dtype", "float32"}}));
}

TEST(ClipVision, WansNamesStackQueryKeyAndValue) {
  const auto key = clip::to_official_name("encoder.layers.30.self_attn.k_proj.bias");
  EXPECT_EQ(key.name, "transformer.30.attn.to_qkv.bias");
  EXPECT_EQ(key.part, 1);
  EXPECT_EQ(key.parts, 3);
}

}  // namespace
}  // namespace keyflow
