#include "models/registry.h"

#include <gtest/gtest.h>

#include "tests/manifest.h"

namespace keyflow::models {
namespace {

std::vector<std::string> titles_in(const std::vector<weights::TensorInfo>& tensors) {
  std::vector<std::string> titles;
  for (const auto& place : networks_in(tensors)) {
    titles.push_back(std::string(place.type->title) + (place.index > 0 ? " " + std::to_string(place.index) : ""));
  }
  return titles;
}

struct Published {
  const char* manifest;
  std::vector<std::string> networks;
};
class Registry : public testing::TestWithParam<Published> {};

// The names of every published checkpoint show the networks that are in it, and no others.
TEST_P(Registry, FindsTheNetworksOfPublishedFiles) {
  const auto tensors = tests::read_manifest(GetParam().manifest);
  if (tensors.empty()) GTEST_SKIP() << "needs the shared data folder";
  EXPECT_EQ(titles_in(tensors), GetParam().networks);
}

const std::string kClip = "the CLIP text encoder", kVae = "the KL autoencoder", kUnet = "the Stable Diffusion U-Net";
INSTANTIATE_TEST_SUITE_P(
    Of, Registry,
    testing::Values(Published{"wan2.1-t2v-1.3b", {"the Wan transformer"}},
                    Published{"wan2.1-t2v-14b-diffusers", {"the Wan transformer"}},
                    Published{"wan2.1-vae", {"the Wan VAE"}}, Published{"wan-umt5-xxl-enc", {"the T5 text encoder"}},
                    Published{"wan-clip-xlm-roberta-vit-h-14", {"the CLIP picture encoder"}},
                    Published{"flux1-dev-bfl", {"the FLUX transformer"}},
                    Published{"flux1-dev-diffusers", {"the FLUX transformer"}}, Published{"flux-ae-bfl", {kVae}},
                    Published{"flux-vae-diffusers", {kVae}}, Published{"clip-l-text", {kClip}},
                    Published{"clip-bigG-text", {kClip}}, Published{"t5-xxl-enc-single", {"the T5 text encoder"}},
                    Published{"sd15-unet-diffusers", {kUnet}}, Published{"sd15-vae-diffusers", {kVae}},
                    Published{"sd15-single-file", {kUnet, kClip, kVae}},
                    Published{"sdxl-single-file", {kUnet, kClip, kClip + " 1", kVae}}),
    [](const auto& test) {
      std::string name = test.param.manifest;
      for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

}  // namespace
}  // namespace keyflow::models
