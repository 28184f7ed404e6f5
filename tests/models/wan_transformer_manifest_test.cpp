#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/wan/keys.h"
#include "models/wan/transformer.h"
#include "tests/models/tensor_lists.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::lines_of;
using tests::read_list;
using wan::Spelling;

const fs::path kConfigs = fs::path(KEYFLOW_SOURCE_DIR) / "configs/wan";
const fs::path kManifests = fs::path(KEYFLOW_SHARED_DATA) / "manifests";
const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/wan_transformer";

std::vector<weights::TensorInfo> asked_for(const wan::TransformerConfig& config, Spelling spelling) {
  const auto plan = weights::record([&](const weights::Scope& w) { wan::Transformer(w, config); });
  return plan.as_file(wan::TransformerKeys{spelling, ""}.rename());
}

wan::TransformerConfig config_of(const std::string& variant) {
  const fs::path path = kConfigs / (variant + ".json");
  return wan::transformer_config_from_json(read_json(path), path.string());
}

std::string text_of(const wan::TransformerConfig& config) { return wan::to_json(config).dump(); }

struct Published {
  std::string variant, list;
  Spelling spelling;
  int64_t parameters;
};

class WanManifest : public ::testing::TestWithParam<Published> {};

TEST_P(WanManifest, NetworkAsksForExactlyThePublishedTensors) {
  const auto& [variant, list, spelling, parameters] = GetParam();
  if (!fs::exists(kManifests)) GTEST_SKIP() << "needs the shared data folder";
  const auto published = read_list(kManifests / list), asked = asked_for(config_of(variant), spelling);
  EXPECT_EQ(lines_of(asked), lines_of(published));
  int64_t count = 0;
  for (const auto& info : asked) count += info.numel();
  EXPECT_EQ(count, parameters);
  EXPECT_EQ(wan::transformer_keys(published).spelling, spelling);
  EXPECT_EQ(text_of(wan::transformer_config_from_tensors(published)), text_of(config_of(variant)));
}

INSTANTIATE_TEST_SUITE_P(
    Published, WanManifest,
    ::testing::Values(Published{"t2v_1_3b", "wan2.1-t2v-1.3b.tsv", Spelling::official, 1418996800},
                      Published{"t2v_14b", "wan2.1-t2v-14b.tsv", Spelling::official, 14288491584},
                      Published{"t2v_14b", "wan2.1-t2v-14b-diffusers.tsv", Spelling::diffusers, 14288491584},
                      Published{"t2v_a14b", "wan2.1-t2v-14b.tsv", Spelling::official, 14288491584},
                      Published{"i2v_14b", "wan2.1-i2v-14b.tsv", Spelling::official, 16394878784},
                      Published{"flf2v_14b", "wan2.1-flf2v-14b.tsv", Spelling::official, 16395536704},
                      Published{"i2v_a14b", "wan2.2-i2v-a14b.tsv", Spelling::official, 14288901184},
                      Published{"ti2v_5b", "wan2.2-ti2v-5b.tsv", Spelling::official, 4999787712}),
    [](const auto& info) { return info.param.variant + "_" + std::string(name_of(info.param.spelling)); });

class WanDiffusersNames : public ::testing::TestWithParam<std::string> {};

TEST_P(WanDiffusersNames, NetworkAsksForExactlyTheModulesTensors) {
  const auto module = read_list(kReference / (GetParam() + ".tsv"));
  ASSERT_FALSE(module.empty());
  EXPECT_EQ(lines_of(asked_for(config_of(GetParam()), Spelling::diffusers)), lines_of(module));
  EXPECT_EQ(text_of(wan::transformer_config_from_tensors(module)), text_of(config_of(GetParam())));
  const fs::path json = kReference / (GetParam() + ".json");
  EXPECT_EQ(text_of(wan::transformer_config_from_json(read_json(json), json.string())), text_of(config_of(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Published, WanDiffusersNames,
                         ::testing::Values("t2v_1_3b", "t2v_14b", "i2v_14b", "flf2v_14b", "i2v_a14b", "fun_1_3b_inp",
                                           "ti2v_5b"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
