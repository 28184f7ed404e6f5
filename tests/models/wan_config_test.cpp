#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/wan/config.h"
#include "models/wan/keys.h"

namespace keyflow {
namespace {

using nlohmann::json;
using wan::transformer_config_from_json;
using wan::TransformerConfig;

std::string text_of(const TransformerConfig& config) { return wan::to_json(config).dump(); }

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

TransformerConfig small() {
  TransformerConfig config;
  config.dim = 60;
  config.num_heads = 3;
  config.image_dim = 8;
  config.image_pos_len = 4;
  config.text_len = 64;
  return config;
}

TEST(WanConfig, BothFormsReadBack) {
  EXPECT_EQ(text_of(transformer_config_from_json(wan::to_json(small()), "a")), text_of(small()));
  EXPECT_EQ(text_of(transformer_config_from_json(wan::to_diffusers_json(small()), "a")), text_of(small()));
}

TEST(WanConfig, WansOwnFileLeavesTheImageBranchToTheTensors) {
  const json own = {{"_class_name", "WanModel"},
                    {"_diffusers_version", "0.30.0"},
                    {"dim", 5120},
                    {"eps", 1e-06},
                    {"ffn_dim", 13824},
                    {"freq_dim", 256},
                    {"in_dim", 36},
                    {"model_type", "i2v"},
                    {"num_heads", 40},
                    {"num_layers", 40},
                    {"out_dim", 16},
                    {"text_len", 512}};
  TransformerConfig shown;
  shown.image_dim = 1280;
  const auto config = transformer_config_from_json(own, "config.json", shown);
  EXPECT_EQ(config.image_dim, 1280);
  EXPECT_EQ(config.dim, 5120);
  EXPECT_EQ(config.head_size(), 128);
}

TEST(WanConfig, NullMeansNone) {
  TransformerConfig shown;
  shown.image_dim = 1280;
  const auto config = transformer_config_from_json({{"image_dim", nullptr},
                                                    {"added_kv_proj_dim", nullptr},
                                                    {"pos_embed_seq_len", nullptr},
                                                    {"out_channels", nullptr}},
                                                   "config.json", shown);
  EXPECT_EQ(config.image_dim, 0);
  EXPECT_EQ(config.out_dim, config.in_dim);
}

TEST(WanConfig, ListsEveryProblemAtOnce) {
  const std::string text = refusal({{"num_layer", 2}, {"ffn_dim", "wide"}, {"qk_norm", "layer_norm"}});
  EXPECT_NE(text.find("unknown key num_layer; hint: did you mean num_layers?"), std::string::npos) << text;
  EXPECT_NE(text.find("ffn_dim: expected an integer, found \"wide\""), std::string::npos) << text;
  EXPECT_NE(text.find("qk_norm"), std::string::npos) << text;
}

TEST(WanConfig, RefusesNumbersOutOfRange) {
  refusal({{"num_heads", 0}});
  refusal({{"num_heads", -3}});
  refusal({{"num_heads", 7}});
  refusal({{"dim", 1 << 21}});
  refusal({{"num_layers", 18446744073709551615u}});
  refusal({{"num_layers", 1.5}});
  refusal({{"num_layers", true}});
  refusal({{"num_layers", 1e18}});
  refusal({{"eps", 0}});
  refusal({{"patch_size", {1, 2}}});
  refusal({{"patch_size", {1, 0, 2}}});
  refusal({{"attention_head_dim", INT64_MAX}});
  refusal({{"freq_dim", 3}});
  refusal({{"image_pos_len", 3}});
  refusal({{"added_kv_proj_dim", 7}});
  refusal(json::array());
}

TEST(WanConfig, RefusesNetworksOfAnotherKind) {
  refusal({{"_class_name", "WanVACETransformer3DModel"}}, ErrorKind::unsupported);
  refusal({{"model_type", "vace"}});
}

TEST(WanConfig, TensorsOfAnotherNetworkAreNamed) {
  try {
    wan::transformer_config_from_tensors({{"patch_embedding.weight", at::kFloat, {8, 4, 1, 2, 2}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    EXPECT_NE(std::string(error.what()).find("blocks.0.ffn.0.weight"), std::string::npos) << error.what();
  }
  const auto huge = [] {
    wan::transformer_config_from_tensors({{"patch_embedding.weight", at::kFloat, {8, 4, 1, INT64_MAX, 2}}});
  };
  EXPECT_THROW(huge(), Error);
}

TEST(WanKeys, OldQueryNormOfTheImageBranchIsIgnored) {
  const auto keys = wan::transformer_keys({{"condition_embedder.time_proj.weight", at::kFloat, {1, 1}}});
  EXPECT_TRUE(keys.ignore()("blocks.3.attn2.norm_added_q.weight"));
  EXPECT_FALSE(keys.ignore()("blocks.3.attn2.norm_added_k.weight"));
  EXPECT_FALSE(wan::transformer_keys({}).ignore()("blocks.3.attn2.norm_added_q.weight"));
}

TEST(WanKeys, NormsChangePlaces) {
  EXPECT_EQ(wan::to_diffusers_name("blocks.12.norm3.bias"), "blocks.12.norm2.bias");
  EXPECT_EQ(wan::to_diffusers_name("blocks.12.modulation"), "blocks.12.scale_shift_table");
  EXPECT_EQ(wan::to_diffusers_name("head.modulation"), "scale_shift_table");
}

}  // namespace
}  // namespace keyflow
