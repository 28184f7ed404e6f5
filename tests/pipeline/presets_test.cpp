#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "pipeline/families/wan_presets.h"

namespace keyflow {
namespace {

const std::filesystem::path kConfigs = std::filesystem::path(KEYFLOW_SOURCE_DIR) / "configs";

class Presets : public ::testing::TestWithParam<std::string> {};

TEST_P(Presets, FileSaysWhatTheVariantDoesByItself) {
  const auto config =
      wan::transformer_config_from_json(read_json(kConfigs / "wan" / (GetParam() + ".json")), GetParam());
  const wan::Variant variant = wan::variant_of(config, config.image_dim > 0 ? 257 : 0);
  pipeline::RenderSettings by_itself, by_file;
  pipeline::ModelFacts facts;
  pipeline::apply_wan_presets(by_itself, facts, variant, config, {});
  pipeline::apply_json(by_file, read_json(kConfigs / "presets" / (GetParam() + ".json")), pipeline::Origin::file,
                       GetParam());
  EXPECT_EQ(pipeline::to_json(by_file), pipeline::to_json(by_itself));
}

INSTANTIATE_TEST_SUITE_P(Variants, Presets,
                         ::testing::Values("t2v_1_3b", "t2v_14b", "i2v_14b", "flf2v_14b", "fun_1_3b_inp"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
