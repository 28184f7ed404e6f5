#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/sd/control_net.h"
#include "models/sd/keys.h"
#include "models/sd/unet.h"
#include "models/sd/variant.h"
#include "tests/models/tensor_lists.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using sd::Spelling;
using tests::lines_of;
using tests::read_list;
using weights::TensorInfo;

const fs::path kConfigs = fs::path(KEYFLOW_SOURCE_DIR) / "configs/sd";
const fs::path kShared = fs::path(KEYFLOW_SHARED_DATA);
const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/sd";

sd::UNetConfig unet_of(const fs::path& path) { return sd::unet_config_from_json(read_json(path), path.string()); }
sd::ControlNetConfig control_of(const fs::path& path) {
  return sd::control_net_config_from_json(read_json(path), path.string());
}
sd::UNetConfig unet_of(const std::string& variant) { return unet_of(kConfigs / (variant + ".json")); }
sd::ControlNetConfig control_of(const std::string& variant) { return control_of(kConfigs / (variant + ".json")); }

std::vector<TensorInfo> asked_for(const sd::UNetConfig& config, Spelling spelling, const std::string& prefix = "") {
  const auto plan = weights::record([&](const weights::Scope& w) { sd::UNet(w, config); });
  return plan.as_file(sd::unet_keys(config, spelling, prefix).rename());
}
std::vector<TensorInfo> asked_for(const sd::ControlNetConfig& config, Spelling spelling,
                                  const std::string& prefix = "") {
  const auto plan = weights::record([&](const weights::Scope& w) { sd::ControlNet(w, config); });
  return plan.as_file(sd::control_net_keys(config, spelling, prefix).rename());
}

template <class Config>
std::string text_of(const Config& config) {
  return sd::to_json(config).dump();
}

struct Published {
  std::string variant, list, prefix;
  Spelling spelling;
  size_t tensors;
  int64_t parameters;
};

class SdManifest : public ::testing::TestWithParam<Published> {};

TEST_P(SdManifest, NetworkAsksForExactlyThePublishedTensors) {
  const auto& [variant, list, prefix, spelling, tensors, parameters] = GetParam();
  if (!fs::exists(kShared)) GTEST_SKIP() << "needs the shared data folder";
  const auto file = read_list(kShared / "manifests" / list);
  std::vector<TensorInfo> unet;
  std::copy_if(file.begin(), file.end(), std::back_inserter(unet),
               [&](const auto& info) { return info.name.starts_with(prefix); });
  const auto asked = asked_for(unet_of(variant), spelling, prefix);
  EXPECT_EQ(lines_of(asked), lines_of(unet));
  EXPECT_EQ(asked.size(), tensors);
  int64_t count = 0;
  for (const auto& info : asked) count += info.numel();
  EXPECT_EQ(count, parameters);
  // The whole file, text encoders and VAE in it, tells its U-Net and leaves nothing unexplained.
  const sd::Keys keys = sd::unet_keys(file);
  EXPECT_EQ(keys.spelling, spelling);
  EXPECT_EQ(keys.prefix, prefix);
  EXPECT_EQ(text_of(sd::unet_config_from_tensors(file)), text_of(unet_of(variant)));
  const auto plan = weights::record([&](const weights::Scope& w) { sd::UNet(w, unet_of(variant)); });
  EXPECT_TRUE(plan.compare(file, keys.rename(), keys.ignore()).matches());
}

INSTANTIATE_TEST_SUITE_P(
    Published, SdManifest,
    ::testing::Values(
        Published{"sd15", "sd15-unet-diffusers.tsv", "", Spelling::diffusers, 686, 859520964},
        Published{"sd15", "sd15-single-file.tsv", "model.diffusion_model.", Spelling::original, 686, 859520964},
        Published{"sdxl_base", "sdxl-unet-diffusers.tsv", "", Spelling::diffusers, 1680, 2567463684},
        Published{"sdxl_base", "sdxl-single-file.tsv", "model.diffusion_model.", Spelling::original, 1680, 2567463684}),
    [](const auto& info) { return info.param.variant + "_" + std::string(name_of(info.param.spelling)); });

TEST(SdPublishedConfigs, SayWhatOursSay) {
  if (!fs::exists(kShared)) GTEST_SKIP() << "needs the shared data folder";
  for (const auto& [folder, variant] : {std::pair("sd15", "sd15"), {"sd21", "sd21"}, {"sdxl", "sdxl_base"}}) {
    const fs::path published = kShared / "configs" / folder / "unet/config.json";
    EXPECT_EQ(text_of(unet_of(published)), text_of(unet_of(std::string(variant)))) << variant;
  }
}

struct Variant {
  std::string name, line;
};

class SdDiffusersNames : public ::testing::TestWithParam<Variant> {};

TEST_P(SdDiffusersNames, NetworkAsksForExactlyTheModulesTensors) {
  const auto& [variant, line] = GetParam();
  const auto module = read_list(kReference / (variant + ".tsv")),
             original = read_list(kReference / (variant + "_original.tsv"));
  ASSERT_FALSE(module.empty());
  const auto check = [&, name = variant](const auto& config, const auto& from_module, const auto& from_original) {
    EXPECT_EQ(lines_of(asked_for(config, Spelling::diffusers)), lines_of(module));
    EXPECT_EQ(lines_of(asked_for(config, Spelling::original)), lines_of(original));
    EXPECT_EQ(text_of(from_module), text_of(config));
    EXPECT_EQ(text_of(from_original), text_of(config));
  };
  const fs::path json = kReference / (variant + ".json");
  if (line.empty()) {
    check(control_of(variant), sd::control_net_config_from_tensors(module),
          sd::control_net_config_from_tensors(original));
    EXPECT_EQ(text_of(control_of(json)), text_of(control_of(variant)));
    return;
  }
  auto from_module = sd::unet_config_from_tensors(module), from_original = sd::unet_config_from_tensors(original);
  // What it was trained on leaves no trace in names and shapes.
  from_module.sample_size = from_original.sample_size = unet_of(variant).sample_size;
  check(unet_of(variant), from_module, from_original);
  EXPECT_EQ(text_of(unet_of(json)), text_of(unet_of(variant)));
  EXPECT_EQ(sd::name_of(sd::variant_of(unet_of(variant))), line);
}

INSTANTIATE_TEST_SUITE_P(Variants, SdDiffusersNames,
                         ::testing::Values(Variant{"sd15", "SD1"}, Variant{"sd15_inpaint", "SD1 inpainting"},
                                           Variant{"sd21", "SD2"}, Variant{"sd21_base", "SD2"},
                                           Variant{"sd2_inpaint", "SD2 inpainting"}, Variant{"sdxl_base", "SDXL"},
                                           Variant{"sdxl_inpaint", "SDXL inpainting"},
                                           Variant{"sdxl_refiner", "SDXL refiner"}, Variant{"control_sd15", ""},
                                           Variant{"control_sd21", ""}, Variant{"control_sdxl", ""}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace keyflow
