#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/flux/config.h"
#include "models/flux/keys.h"
#include "models/flux/transformer.h"

namespace keyflow {
namespace {

using flux::transformer_config_from_json;
using flux::transformer_config_from_tensors;
using flux::TransformerConfig;
using nlohmann::json;
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

TEST(FluxConfig, ReadsBack) {
  TransformerConfig config;
  config.in_channels = 384;
  config.guidance_embeds = true;
  config.attention_head_dim = 20;
  config.axes_dims_rope = {4, 8, 8};
  const json written = flux::to_json(config);
  EXPECT_EQ(flux::to_json(transformer_config_from_json(written, "a")), written);
}

TEST(FluxConfig, WhatTheFileLeavesOutComesFromTheBase) {
  TransformerConfig shown;
  shown.guidance_embeds = true;
  shown.in_channels = 384;
  const auto config = transformer_config_from_json({{"num_layers", 8}}, "config.json", shown);
  EXPECT_TRUE(config.guidance_embeds);
  EXPECT_EQ(config.in_channels, 384);
  EXPECT_EQ(config.num_layers, 8);
}

TEST(FluxConfig, NullMeansAsManyChannelsOutAsIn) {
  const auto config = transformer_config_from_json({{"in_channels", 128}, {"out_channels", nullptr}}, "config.json");
  EXPECT_EQ(config.out_channels, 128);
}

TEST(FluxConfig, ListsEveryProblemAtOnce) {
  const std::string text = refusal({{"num_layer", 2}, {"guidance_embeds", 1}, {"patch_size", 2}, {"in_channels", "x"}});
  expect_part(text, "unknown key num_layer; hint: did you mean num_layers?");
  expect_part(text, "guidance_embeds: expected true or false, found 1");
  expect_part(text, "patch_size: expected 1, found 2");
  expect_part(text, "in_channels: expected an integer, found \"x\"");
}

TEST(FluxConfig, RefusesNumbersThatContradictEachOther) {
  expect_part(refusal({{"attention_head_dim", 64}}),
              "axes_dims_rope: expected a sum of 64 (attention_head_dim), found 128");
  expect_part(refusal({{"axes_dims_rope", {15, 57, 56}}}), "expected even sizes, found 15");
  expect_part(refusal({{"axes_dims_rope", {64, 64}}}), "expected 3 values, found 2");
  expect_part(refusal({{"in_channels", 65}}), "in_channels: expected a multiple of 4");
  expect_part(refusal({{"num_single_layers", 0}}), "num_single_layers: expected 1 to 1000, found 0");
  expect_part(refusal({{"num_attention_heads", int64_t{1} << 40}}), "num_attention_heads: expected 1 to 1000");
}

TEST(FluxConfig, RefusesAnotherNetwork) {
  expect_part(refusal({{"_class_name", "SD3Transformer2DModel"}}, ErrorKind::unsupported), "SD3Transformer2DModel");
}

TransformerConfig small() {
  TransformerConfig config;
  config.num_layers = 2;
  config.num_single_layers = 3;
  config.attention_head_dim = 8;
  config.num_attention_heads = 2;
  config.guidance_embeds = true;
  config.axes_dims_rope = {2, 2, 4};
  return config;
}

std::vector<TensorInfo> tensors_of(const TransformerConfig& config, const flux::TransformerKeys& keys) {
  return weights::record([&](const weights::Scope& w) { flux::Transformer(w, config); }).as_file(keys.rename());
}

TEST(FluxConfig, TensorsShowAllButTheAxes) {
  for (const auto& keys : {flux::TransformerKeys{flux::Spelling::bfl, ""},
                           flux::TransformerKeys{flux::Spelling::bfl, "model.diffusion_model."},
                           flux::TransformerKeys{flux::Spelling::diffusers, ""}}) {
    auto shown = transformer_config_from_tensors(tensors_of(small(), keys));
    EXPECT_THROW(shown.validate(), Error);
    shown.axes_dims_rope = small().axes_dims_rope;
    EXPECT_EQ(flux::to_json(shown), flux::to_json(small()));
  }
}

TEST(FluxConfig, AMissingTensorIsNoShorterNetwork) {
  auto list = tensors_of(small(), {flux::Spelling::bfl, ""});
  std::erase_if(list, [](const TensorInfo& info) { return info.name == "single_blocks.2.linear1.weight"; });
  EXPECT_EQ(transformer_config_from_tensors(list).num_single_layers, 3);
}

TEST(FluxConfig, RefusesTensorsOfAnotherNetwork) {
  const std::vector<std::vector<TensorInfo>> lists{
      {}, {{"img_in.weight", at::kFloat, {8}}}, {{"blocks.0.w", at::kFloat, {8, 8}}}};
  for (const auto& list : lists) {
    try {
      transformer_config_from_tensors(list);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::weights);
      expect_part(error.what(), list.empty() || list[0].name[0] == 'b' ? "x_embedder.weight" : "img_in.weight");
    }
  }
}

TEST(FluxKeys, OnlyTheOtherPartsOfAWholeCheckpointAreIgnored) {
  const auto whole = flux::TransformerKeys{flux::Spelling::bfl, "model.diffusion_model."}.ignore();
  for (const char* name : {"vae.decoder.x", "first_stage_model.x", "text_encoders.t5xxl.x"}) EXPECT_TRUE(whole(name));
  EXPECT_FALSE(whole("model.diffusion_model.extra"));
  EXPECT_FALSE(whole("lora.down"));
  EXPECT_FALSE((flux::TransformerKeys{flux::Spelling::bfl, ""}.ignore()("vae.decoder.x")));
}

}  // namespace
}  // namespace keyflow
