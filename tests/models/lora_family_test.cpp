#include "models/lora_family.h"

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/sd/lora_names.h"
#include "models/sd/unet.h"
#include "weights/lora_set.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;

/// The LoRAs that people share: every layer is found in the network of the published size, built without weights.
class RealLora : public ::testing::TestWithParam<const char*> {};

TEST_P(RealLora, MatchesStableDiffusion15) {
  const fs::path path = fs::path(KEYFLOW_SHARED_DATA) / "lora" / GetParam();
  if (!fs::exists(path)) GTEST_SKIP() << "needs the shared data folder";
  const weights::LoraFile file(weights::open_tensors(path));
  EXPECT_EQ(models::lora_family(file), "Stable Diffusion 1.x");
  EXPECT_EQ(models::lora_kinds(file), "LoRA");
  EXPECT_EQ(models::lora_ranks(file), "4");
  const fs::path config_path = fs::path(KEYFLOW_SOURCE_DIR) / "configs/sd/sd15.json";
  const auto config = sd::unet_config_from_json(read_json(config_path), config_path.string());
  const auto plan = weights::record([&](const weights::Scope& w) { sd::UNet(w, config); });
  weights::LoraSet set({{path}});
  const auto overlay = set.match(sd::lora_names(config), plan);
  EXPECT_EQ(overlay.adapters().size(), 128U);
  const auto report = set.report()[0];
  EXPECT_EQ(report.entries, 128U);
  EXPECT_EQ(report.matched, 128U);
  EXPECT_TRUE(report.unmatched.empty());
}
INSTANTIATE_TEST_SUITE_P(Files, RealLora, ::testing::Values("weapons_r4.safetensors", "weapons_r4_other.bin"));

TEST(LoraFamily, IsToldByNamesAndWidths) {
  const fs::path path = fs::temp_directory_path() / ("lora_family_" + std::to_string(getpid()) + ".safetensors");
  const auto family = [&](const std::string& layer, int64_t inputs) {
    const auto options = at::TensorOptions().dtype(at::kFloat);
    weights::save_safetensors(path, {{layer + ".lora_up.weight", at::ones({4, 2}, options)},
                                     {layer + ".lora_down.weight", at::ones({2, inputs}, options)}});
    return models::lora_family(weights::LoraFile(weights::open_tensors(path)));
  };
  const std::string cross = "attentions_0_transformer_blocks_0_attn2_to_k";
  EXPECT_EQ(family("lora_unet_down_blocks_0_" + cross, 768), "Stable Diffusion 1.x");
  EXPECT_EQ(family("lora_unet_mid_block_" + cross, 1024), "Stable Diffusion 2.x");
  EXPECT_EQ(family("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 2048), "SDXL");
  EXPECT_EQ(family("lora_unet_mid_block_resnets_0_conv1", 7), "Stable Diffusion");
  EXPECT_EQ(family("lora_unet_double_blocks_0_img_attn_qkv", 3072), "FLUX.1");
  EXPECT_EQ(family("transformer.single_transformer_blocks.3.attn.to_q", 3072), "FLUX.1");
  EXPECT_EQ(family("transformer.transformer_blocks.0.attn.add_q_proj", 1536), "Stable Diffusion 3");
  EXPECT_EQ(family("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536), "Stable Diffusion 3");
  EXPECT_EQ(family("diffusion_model.blocks.0.self_attn.q", 5120), "Wan 14B");
  EXPECT_EQ(family("lora_unet_blocks_0_self_attn_q", 1536), "Wan 1.3B");
  EXPECT_EQ(family("lora_te_text_model_encoder_layers_0_mlp_fc1", 768), "a text encoder");
  EXPECT_EQ(family("something_else", 768), "");
  fs::remove(path);
}

}  // namespace
}  // namespace keyflow
