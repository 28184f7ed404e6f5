#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/flux/keys.h"
#include "models/flux/transformer.h"
#include "tests/models/tensor_lists.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using flux::Spelling;
using tests::lines_of;
using tests::read_list;

const fs::path kConfigs = fs::path(KEYFLOW_SOURCE_DIR) / "configs/flux";
const fs::path kShared = fs::path(KEYFLOW_SHARED_DATA);
const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/flux_transformer";

std::vector<weights::TensorInfo> asked_for(const flux::TransformerConfig& config, Spelling spelling) {
  const auto plan = weights::record([&](const weights::Scope& w) { flux::Transformer(w, config); });
  return plan.as_file(flux::TransformerKeys{spelling, ""}.rename());
}

flux::TransformerConfig config_of(const fs::path& path) {
  return flux::transformer_config_from_json(read_json(path), path.string());
}

flux::TransformerConfig config_of(const std::string& variant) { return config_of(kConfigs / (variant + ".json")); }

std::string text_of(const flux::TransformerConfig& config) { return flux::to_json(config).dump(); }

struct Published {
  std::string variant, list;
  Spelling spelling;
  int64_t parameters;
};

class FluxManifest : public ::testing::TestWithParam<Published> {};

TEST_P(FluxManifest, NetworkAsksForExactlyThePublishedTensors) {
  const auto& [variant, list, spelling, parameters] = GetParam();
  if (!fs::exists(kShared)) GTEST_SKIP() << "needs the shared data folder";
  const auto published = read_list(kShared / "manifests" / list), asked = asked_for(config_of(variant), spelling);
  EXPECT_EQ(lines_of(asked), lines_of(published));
  int64_t count = 0;
  for (const auto& info : asked) count += info.numel();
  EXPECT_EQ(count, parameters);
  EXPECT_EQ(flux::transformer_keys(published).spelling, spelling);
  EXPECT_EQ(text_of(flux::transformer_config_from_tensors(published)), text_of(config_of(variant)));
}

INSTANTIATE_TEST_SUITE_P(
    Published, FluxManifest,
    ::testing::Values(Published{"dev", "flux1-dev-bfl.tsv", Spelling::bfl, 11901408320},
                      Published{"dev", "flux1-dev-diffusers.tsv", Spelling::diffusers, 11901408320},
                      Published{"schnell", "flux1-schnell-bfl.tsv", Spelling::bfl, 11891178560}),
    [](const auto& info) { return info.param.variant + "_" + std::string(name_of(info.param.spelling)); });

TEST(FluxConfigFiles, OfDiffusersStateTheSame) {
  for (const std::string variant : {"dev", "schnell"}) {
    const fs::path path = kShared / "configs" / ("flux1-" + variant) / "transformer/config.json";
    if (!fs::exists(path)) GTEST_SKIP() << "needs the shared data folder";
    EXPECT_EQ(text_of(config_of(path)), text_of(config_of(variant)));
  }
}

class FluxDiffusersNames : public ::testing::TestWithParam<std::string> {};

TEST_P(FluxDiffusersNames, NetworkAsksForExactlyTheModulesTensors) {
  const auto module = read_list(kReference / (GetParam() + ".tsv"));
  ASSERT_FALSE(module.empty());
  EXPECT_EQ(lines_of(asked_for(config_of(GetParam()), Spelling::diffusers)), lines_of(module));
  EXPECT_EQ(text_of(flux::transformer_config_from_tensors(module)), text_of(config_of(GetParam())));
  EXPECT_EQ(text_of(config_of(kReference / (GetParam() + ".json"))), text_of(config_of(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Published, FluxDiffusersNames, ::testing::Values("dev", "schnell", "fill"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
