#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/sd/keys.h"
#include "models/sd/variant.h"
#include "tests/models/sd_tiny.h"

namespace keyflow {
namespace {

using nlohmann::json;
using sd::unet_config_from_json;
using sd::UNetConfig;
using tests::tiny_control;
using tests::tiny_sdxl;
using tests::tiny_unet;

template <class Config>
std::string text_of(const Config& config) {
  return sd::to_json(config).dump();
}

template <class Read>
std::string refusal_of(Read&& read, const json& object, ErrorKind kind) {
  try {
    read(object, "config.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "accepted " << object.dump();
  return "";
}

std::string refusal(const json& object, ErrorKind kind = ErrorKind::config) {
  return refusal_of([](const json& o, const char* where) { return unet_config_from_json(o, where); }, object, kind);
}

std::string control_refusal(const json& object, ErrorKind kind = ErrorKind::config) {
  return refusal_of([](const json& o, const char* where) { return sd::control_net_config_from_json(o, where); }, object,
                    kind);
}

/// A whole file with some fields changed.
json changed(json object, const json& changes) {
  object.update(changes);
  return object;
}

TEST(SdConfig, ReadsBackWhatItWrites) {
  UNetConfig distilled = tiny_unet();
  distilled.middle = sd::MiddleBlock::none;
  distilled.time_cond_proj_dim = 8;
  distilled.flip_sin_to_cos = false;
  distilled.freq_shift = 1;
  UNetConfig plain = tiny_unet();
  plain.middle = sd::MiddleBlock::plain;
  plain.upcast_attention = true;
  for (const auto& config : {tiny_unet(), tiny_sdxl(), distilled, plain, UNetConfig{}}) {
    EXPECT_EQ(text_of(unet_config_from_json(sd::to_json(config), "a")), text_of(config));
  }
  sd::ControlNetConfig control = tiny_control();
  control.bgr = control.global_pool_conditions = true;
  EXPECT_EQ(text_of(sd::control_net_config_from_json(sd::to_json(control), "a")), text_of(control));
}

TEST(SdConfig, FieldsNotStatedComeFromTheTensors) {
  EXPECT_EQ(text_of(unet_config_from_json({{"upcast_attention", nullptr}}, "a", tiny_sdxl())), text_of(tiny_sdxl()));
  EXPECT_EQ(text_of(sd::control_net_config_from_json(json::object(), "a", tiny_control())), text_of(tiny_control()));
}

TEST(SdConfig, OneNumberStandsForEveryLevel) {
  const auto config = unet_config_from_json(
      changed(sd::to_json(tiny_unet()), {{"attention_head_dim", 4}, {"transformer_layers_per_block", 3}}), "a");
  EXPECT_EQ(config.heads, (std::vector<int64_t>{4, 4}));
  EXPECT_EQ(config.transformer_layers, (std::vector<int64_t>{3, 0}));
  EXPECT_EQ(config.mid_transformer_layers, 3);
}

TEST(SdConfig, SmallControlNetsHaveNoAttentionAtAll) {
  const json small = changed(sd::to_json(tiny_control()), {{"down_block_types", {"DownBlock2D", "DownBlock2D"}},
                                                           {"transformer_layers_per_block", {0, 0}},
                                                           {"mid_block_type", "UNetMidBlock2D"}});
  const auto config = sd::control_net_config_from_json(small, "a");
  EXPECT_EQ(config.encoder.transformer_layers, (std::vector<int64_t>{0, 0}));
  const auto plan = weights::record([&](const weights::Scope& w) { sd::ControlNet(w, config); });
  auto tensors = plan.as_file(weights::same_name);
  const auto shown = sd::control_net_config_from_tensors(tensors);
  EXPECT_EQ(shown.encoder.middle, sd::MiddleBlock::plain);
  EXPECT_EQ(shown.encoder.transformer_layers, config.encoder.transformer_layers);
  EXPECT_EQ(shown.encoder.cross_attention_dim, 768);
  tensors.push_back({"add_embedding.linear_1.weight", at::kFloat, {64, 2816}});
  EXPECT_EQ(sd::control_net_config_from_tensors(tensors).encoder.cross_attention_dim, 2048);
}

TEST(SdConfig, ListsEveryProblemAtOnce) {
  const std::string text =
      refusal({{"layer_per_block", 2}, {"norm_eps", "small"}, {"act_fn", "gelu"}, {"class_embed_type", "projection"}});
  EXPECT_NE(text.find("unknown key layer_per_block; hint: did you mean layers_per_block?"), std::string::npos) << text;
  EXPECT_NE(text.find("norm_eps: expected a number"), std::string::npos) << text;
  EXPECT_NE(text.find("act_fn: expected \"silu\", found \"gelu\""), std::string::npos) << text;
  EXPECT_NE(text.find("class_embed_type: expected null"), std::string::npos) << text;
}

class SdConfigRefuses : public ::testing::TestWithParam<std::pair<const char*, json>> {};

TEST_P(SdConfigRefuses, ABadValue) { refusal(changed(sd::to_json(tiny_sdxl()), {GetParam()})); }

INSTANTIATE_TEST_SUITE_P(
    Fields, SdConfigRefuses,
    ::testing::Values(std::pair("in_channels", 0), std::pair("in_channels", 1.5), std::pair("out_channels", -1),
                      std::pair("sample_size", 0), std::pair("block_out_channels", json::array()),
                      std::pair("block_out_channels", json{16, 30}), std::pair("block_out_channels", json{16, 32, 64}),
                      std::pair("block_out_channels", json(std::vector<int>(9, 16))),
                      std::pair("block_out_channels", json{16, INT64_MAX}), std::pair("block_out_channels", "wide"),
                      std::pair("layers_per_block", 0), std::pair("down_block_types", json{"DownBlock2D"}),
                      std::pair("down_block_types", json{1, 2}), std::pair("attention_head_dim", json{2, 5}),
                      std::pair("attention_head_dim", json{2, 0}), std::pair("attention_head_dim", json{2, 2, 2}),
                      std::pair("attention_head_dim", nullptr), std::pair("cross_attention_dim", json{12, 12}),
                      std::pair("transformer_layers_per_block", json{1, json{2}}),
                      std::pair("transformer_layers_per_block", json{1, 2, 3}), std::pair("norm_num_groups", nullptr),
                      std::pair("norm_num_groups", 5), std::pair("norm_eps", 0), std::pair("freq_shift", 2),
                      std::pair("use_linear_projection", 1), std::pair("addition_embed_type", "text"),
                      std::pair("addition_time_embed_dim", 5), std::pair("addition_time_embed_dim", 0),
                      std::pair("projection_class_embeddings_input_dim", 0), std::pair("time_cond_proj_dim", 3),
                      std::pair("mid_block_type", "UNetMidBlock2DSimpleCrossAttn"),
                      std::pair("resnet_time_scale_shift", "scale_shift"), std::pair("encoder_hid_dim", 4096),
                      std::pair("num_attention_heads", 8), std::pair("only_cross_attention", true),
                      std::pair("dual_cross_attention", true), std::pair("time_embedding_type", "fourier")),
    [](const auto& info) { return std::to_string(info.index) + "_" + info.param.first; });

TEST(SdConfig, LevelsOfAnotherKindAreUnsupported) {
  const json whole = sd::to_json(tiny_unet());
  refusal(changed(whole, {{"down_block_types", {"SimpleCrossAttnDownBlock2D", "DownBlock2D"}}}),
          ErrorKind::unsupported);
  refusal(changed(whole, {{"up_block_types", {"CrossAttnUpBlock2D", "UpBlock2D"}}}), ErrorKind::unsupported);
  refusal(json::array());
}

TEST(SdConfig, ControlNetsRefuseWhatTheyDoNotKnow) {
  control_refusal({{"controlnet_conditioning_channel_order", "grb"}});
  control_refusal({{"conditioning_embedding_out_channels", json::array()}});
  control_refusal({{"conditioning_embedding_out_channels", {16, 0}}});
  control_refusal({{"conditioning_channels", 0}});
  control_refusal({{"mid_block_type", nullptr}});
  control_refusal({{"out_channels", 4}});
  control_refusal({{"num_control_type", 6}});
}

TEST(SdConfig, TensorsOfAnotherNetworkAreNamed) {
  try {
    sd::unet_config_from_tensors(
        {{"input_blocks.0.0.weight", at::kFloat, {16, 4, 3, 3}}, {"time_embed.0.weight", at::kFloat, {64, 16}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    EXPECT_NE(std::string(error.what()).find("levels"), std::string::npos) << error.what();
  }
  EXPECT_THROW(sd::unet_config_from_tensors({}), Error);
  EXPECT_THROW(sd::control_net_config_from_tensors({{"conv_in.weight", at::kFloat, {16, 4, 3, 3}}}), Error);
}

TEST(SdVariant, OtherNumbersOfChannelsAreUnsupported) {
  UNetConfig config;
  config.in_channels = 8;
  EXPECT_EQ(sd::name_of(sd::variant_of(config)), "SD1 editing");
  config.in_channels = 5;
  EXPECT_THROW(sd::variant_of(config), Error);
  config.in_channels = 4;
  config.out_channels = 3;
  EXPECT_THROW(sd::variant_of(config), Error);
}

TEST(SdKeys, BlocksAreNumberedThroughAllLevels) {
  const sd::BlockNumbering sd15{2, {false, true, true, true}, 6};
  const std::pair<const char*, const char*> names[] = {
      {"down_blocks.1.resnets.0.conv1.weight", "input_blocks.4.0.in_layers.2.weight"},
      {"down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_out.0.bias",
       "input_blocks.8.1.transformer_blocks.0.attn2.to_out.0.bias"},
      {"down_blocks.0.downsamplers.0.conv.bias", "input_blocks.3.0.op.bias"},
      {"mid_block.resnets.1.time_emb_proj.weight", "middle_block.2.emb_layers.1.weight"},
      {"mid_block.attentions.0.norm.weight", "middle_block.1.norm.weight"},
      {"up_blocks.0.upsamplers.0.conv.weight", "output_blocks.2.1.conv.weight"},
      {"up_blocks.1.upsamplers.0.conv.weight", "output_blocks.5.2.conv.weight"},
      {"up_blocks.3.attentions.2.proj_in.weight", "output_blocks.11.1.proj_in.weight"},
      {"up_blocks.3.resnets.2.conv_shortcut.bias", "output_blocks.11.0.skip_connection.bias"},
      {"controlnet_cond_embedding.blocks.5.weight", "input_hint_block.12.weight"},
      {"controlnet_cond_embedding.conv_out.weight", "input_hint_block.14.weight"},
      {"controlnet_down_blocks.11.bias", "zero_convs.11.0.bias"},
  };
  for (const auto& [ours, theirs] : names) EXPECT_EQ(sd::to_original_name(ours, sd15), theirs);
}

TEST(SdKeys, OtherPartsOfASingleFileAreLeftAloneAndStrangersAreNot) {
  const auto keys = sd::unet_keys({{"model.diffusion_model.time_embed.0.weight", at::kFloat, {4, 4}},
                                   {"control_model.time_embed.0.weight", at::kFloat, {4, 4}}});
  EXPECT_EQ(keys.prefix, "model.diffusion_model.");
  for (const char* name : {"first_stage_model.encoder.conv_in.weight", "conditioner.embedders.0.x", "alphas_cumprod",
                           "model_ema.decay", "control_model.time_embed.0.weight", "v_pred"}) {
    EXPECT_TRUE(keys.ignore()(name)) << name;
  }
  for (const char* name : {"model.diffusion_model.input_blocks.0.0.lora", "first_stage", "betas.0", "lora_unet_x"}) {
    EXPECT_FALSE(keys.ignore()(name)) << name;
  }
  EXPECT_FALSE(sd::unet_keys(std::vector<weights::TensorInfo>{}).ignore()("first_stage_model.x"));
}

}  // namespace
}  // namespace keyflow
