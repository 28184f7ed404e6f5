#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/sd3/keys.h"
#include "models/sd3/transformer.h"
#include "tests/models/tensor_lists.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using sd3::Spelling;
using tests::lines_of;
using tests::read_list;

const fs::path kConfigs = fs::path(KEYFLOW_SOURCE_DIR) / "configs/sd3";
const fs::path kShared = fs::path(KEYFLOW_SHARED_DATA);
const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/sd3_transformer";
const std::string kPrefix = "model.diffusion_model.";

weights::Plan plan_of(const sd3::TransformerConfig& config) {
  return weights::record([&](const weights::Scope& w) { sd3::Transformer(w, config); });
}

sd3::TransformerConfig config_of(const fs::path& path) {
  return sd3::transformer_config_from_json(read_json(path), path.string());
}

sd3::TransformerConfig config_of(const std::string& variant) { return config_of(kConfigs / (variant + ".json")); }

std::string text_of(const sd3::TransformerConfig& config) { return sd3::to_json(config).dump(); }

struct Published {
  std::string variant, list;
};

class Sd3Manifest : public ::testing::TestWithParam<Published> {};

TEST_P(Sd3Manifest, NetworkAsksForExactlyThePublishedTensors) {
  const auto& [variant, list] = GetParam();
  if (!fs::exists(kShared)) GTEST_SKIP() << "needs the shared data folder";
  const auto whole = read_list(kShared / "manifests" / list);
  auto published = whole;
  std::erase_if(published, [](const auto& info) { return !info.name.starts_with(kPrefix); });
  ASSERT_FALSE(published.empty());
  const auto plan = plan_of(config_of(variant));
  const auto keys = sd3::transformer_keys(whole);
  EXPECT_EQ(keys.spelling, Spelling::sai);
  EXPECT_EQ(keys.prefix, kPrefix);
  EXPECT_EQ(lines_of(plan.as_file(keys.rename())), lines_of(published));
  EXPECT_TRUE(plan.compare(whole, keys.rename(), keys.ignore()).matches());
  EXPECT_EQ(text_of(sd3::transformer_config_from_tensors(whole)), text_of(config_of(variant)));
}

INSTANTIATE_TEST_SUITE_P(Published, Sd3Manifest,
                         ::testing::Values(Published{"sd3_medium", "sd3-medium-incl-clips.tsv"},
                                           Published{"sd35_medium", "sd35-medium-single-file.tsv"},
                                           Published{"sd35_large", "sd35-large-single-file.tsv"}),
                         [](const auto& info) { return info.param.variant; });

TEST(Sd3ConfigFile, OfDiffusersStatesTheSame) {
  const fs::path path = kShared / "configs/sd3-medium/transformer/config.json";
  if (!fs::exists(path)) GTEST_SKIP() << "needs the shared data folder";
  EXPECT_EQ(text_of(config_of(path)), text_of(config_of(std::string("sd3_medium"))));
}

TEST(Sd3ShardIndex, OfTheLargeModelNamesWhatTheNetworkAsksFor) {
  const fs::path path = kShared / "configs/sd35-large/diffusion_pytorch_model.safetensors.index.json";
  if (!fs::exists(path)) GTEST_SKIP() << "needs the shared data folder";
  const auto index = read_json(path);
  std::vector<std::string> names, asked;
  for (const auto& [name, shard] : index.at("weight_map").items()) names.push_back(name);
  int64_t bytes = 0;
  const auto rename = sd3::TransformerKeys{Spelling::diffusers, ""}.rename();
  for (const auto& info : plan_of(config_of(std::string("sd35_large"))).as_file(rename)) {
    asked.push_back(info.name);
    bytes += 2 * info.numel();
  }
  EXPECT_EQ(asked, names);
  EXPECT_EQ(bytes, index.at("metadata").at("total_size").get<int64_t>());
}

class Sd3DiffusersNames : public ::testing::TestWithParam<std::string> {};

TEST_P(Sd3DiffusersNames, NetworkAsksForExactlyTheModulesTensors) {
  const auto module = read_list(kReference / (GetParam() + ".tsv"));
  ASSERT_FALSE(module.empty());
  const auto rename = sd3::TransformerKeys{Spelling::diffusers, ""}.rename();
  EXPECT_EQ(lines_of(plan_of(config_of(GetParam())).as_file(rename)), lines_of(module));
  EXPECT_EQ(text_of(sd3::transformer_config_from_tensors(module)), text_of(config_of(GetParam())));
  EXPECT_EQ(text_of(config_of(kReference / (GetParam() + ".json"))), text_of(config_of(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Published, Sd3DiffusersNames, ::testing::Values("sd3_medium", "sd35_medium", "sd35_large"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
