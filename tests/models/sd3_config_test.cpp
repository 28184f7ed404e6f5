#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/sd3/config.h"
#include "models/sd3/keys.h"
#include "models/sd3/transformer.h"

namespace keyflow {
namespace {

using nlohmann::json;
using sd3::transformer_config_from_json;
using sd3::transformer_config_from_tensors;
using sd3::TransformerConfig;
using weights::TensorInfo;

std::string refusal(const json& object, ErrorKind kind = ErrorKind::config) {
  try {
    transformer_config_from_json(object, "config.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "accepted " << object.dump();
  return "";
}

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << "\nin " << text;
}

TransformerConfig small() {
  TransformerConfig config;
  config.num_layers = 3;
  config.attention_head_dim = 8;
  config.num_attention_heads = 2;
  config.pos_embed_max_size = 5;
  config.dual_attention_layers = {0, 2};
  config.qk_norm = true;
  return config;
}

TEST(Sd3Config, ReadsBack) {
  for (const auto& config : {TransformerConfig{}, small()}) {
    const json written = sd3::to_json(config);
    EXPECT_EQ(sd3::to_json(transformer_config_from_json(written, "a")), written);
  }
  EXPECT_TRUE(sd3::to_json(TransformerConfig{}).at("qk_norm").is_null());
}

TEST(Sd3Config, NullMeansNoNormAndAsManyChannelsOutAsIn) {
  const auto config = transformer_config_from_json(
      {{"qk_norm", nullptr}, {"out_channels", nullptr}, {"in_channels", 8}}, "config.json", small());
  EXPECT_FALSE(config.qk_norm);
  EXPECT_EQ(config.out_channels, 8);
  EXPECT_TRUE(transformer_config_from_json({{"num_layers", 4}}, "config.json", small()).qk_norm);
}

TEST(Sd3Config, ListsEveryProblemAtOnce) {
  const std::string text = refusal({{"num_layer", 2}, {"qk_norm", "layer_norm"}, {"dual_attention_layers", "all"}});
  expect_part(text, "unknown key num_layer; hint: did you mean num_layers?");
  expect_part(text, "qk_norm: expected null or \"rms_norm\", found \"layer_norm\"");
  expect_part(text, "dual_attention_layers: expected a list of integers, found \"all\"");
}

TEST(Sd3Config, RefusesNumbersThatContradictEachOther) {
  expect_part(refusal({{"caption_projection_dim", 1152}}),
              "caption_projection_dim: expected 1536 (heads times head "
              "size), found 1152");
  expect_part(refusal({{"dual_attention_layers", {0, 24}}}), "dual_attention_layers: expected 0 to 23, found 24");
  expect_part(refusal({{"num_layers", 0}}), "num_layers: expected 1 to 1000, found 0");
  expect_part(refusal({{"patch_size", 65}}), "patch_size: expected 1 to 64, found 65");
  expect_part(refusal({{"pos_embed_max_size", 5000}}), "pos_embed_max_size: expected at most 4096, found 5000");
}

TEST(Sd3Config, RefusesAnotherNetwork) {
  expect_part(refusal({{"_class_name", "FluxTransformer2DModel"}}, ErrorKind::unsupported), "FluxTransformer2DModel");
}

std::vector<TensorInfo> tensors_of(const TransformerConfig& config, const sd3::TransformerKeys& keys) {
  return weights::record([&](const weights::Scope& w) { sd3::Transformer(w, config); }).as_file(keys.rename());
}

TEST(Sd3Config, TensorsShowEverySize) {
  for (const auto& keys : {sd3::TransformerKeys{sd3::Spelling::sai, ""},
                           sd3::TransformerKeys{sd3::Spelling::sai, "model.diffusion_model."},
                           sd3::TransformerKeys{sd3::Spelling::diffusers, ""}}) {
    EXPECT_EQ(sd3::to_json(transformer_config_from_tensors(tensors_of(small(), keys))), sd3::to_json(small()));
  }
}

TEST(Sd3Config, HeadsOfAnotherSizeMustBeStatedWithoutNorms) {
  TransformerConfig config = small();
  config.qk_norm = false;
  const auto shown = transformer_config_from_tensors(tensors_of(config, {}));
  EXPECT_THROW(shown.validate(), Error);
  const auto stated = transformer_config_from_json({{"attention_head_dim", 8}, {"num_attention_heads", 2}}, "a", shown);
  EXPECT_EQ(sd3::to_json(stated), sd3::to_json(config));
}

TEST(Sd3Config, AMissingTensorIsNoShorterNetwork) {
  auto list = tensors_of(small(), {sd3::Spelling::sai, ""});
  std::erase_if(list, [](const TensorInfo& info) { return info.name == "joint_blocks.2.x_block.attn.qkv.weight"; });
  EXPECT_EQ(transformer_config_from_tensors(list).num_layers, 3);
}

TEST(Sd3Config, RefusesATableOfPositionsThatIsNoSquare) {
  auto list = tensors_of(small(), {sd3::Spelling::sai, ""});
  for (auto& info : list) {
    if (info.name == "pos_embed") info.shape[1] = 26;
  }
  try {
    transformer_config_from_tensors(list);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    expect_part(error.what(), "expected a square number of rows, found 26");
  }
  EXPECT_THROW(transformer_config_from_tensors({}), Error);
}

TEST(Sd3Keys, OnlyTheOtherPartsOfAWholeCheckpointAreIgnored) {
  const auto whole = sd3::TransformerKeys{sd3::Spelling::sai, "model.diffusion_model."}.ignore();
  for (const char* name : {"first_stage_model.x", "text_encoders.t5xxl.x"}) EXPECT_TRUE(whole(name));
  EXPECT_FALSE(whole("model.diffusion_model.extra"));
  EXPECT_FALSE(whole("lora.down"));
  EXPECT_FALSE((sd3::TransformerKeys{sd3::Spelling::sai, ""}.ignore()("first_stage_model.x")));
}

}  // namespace
}  // namespace keyflow
