#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/t5/encoder.h"
#include "models/t5/keys.h"
#include "tests/manifest.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow::t5 {
namespace {

// Golden borders: transformers 5.23.0, checked there for every distance from -600 to 600.
TEST(RelativeBucket, HasTheBordersOfTheReference) {
  const EncoderConfig config;
  const auto after = [&](int64_t n) { return relative_bucket(n, config); };
  for (int64_t n = 0; n < 8; ++n) EXPECT_EQ(relative_bucket(-n, config), n);
  const std::vector<std::array<int64_t, 3>> ranges{{8, 11, 8},   {12, 15, 9},  {16, 22, 10}, {23, 31, 11},
                                                   {32, 45, 12}, {46, 63, 13}, {64, 90, 14}, {91, 600, 15}};
  for (const auto& [first, last, bucket] : ranges) {
    for (const int64_t n : {first, last}) {
      EXPECT_EQ(relative_bucket(-n, config), bucket) << n;
      EXPECT_EQ(after(n), bucket + 16) << n;
    }
  }
}

TEST(T5Manifest, PublishedCheckpointsAreWhatTheNetworkAsksFor) {
  struct Case {
    const char* manifest;
    const char* config;
  };
  for (const auto& [manifest, config_name] : {Case{"wan-umt5-xxl-enc", "umt5_xxl"}, Case{"t5-xxl-enc", "t5_xxl"}}) {
    const auto list = tests::read_manifest(manifest);
    if (list.empty()) GTEST_SKIP() << "needs the shared data folder";
    const std::filesystem::path path = std::string(KEYFLOW_SOURCE_DIR "/configs/t5/") + config_name + ".json";
    const EncoderConfig config = encoder_config_from_json(read_json(path), path.string());
    const auto plan = weights::record([&](const weights::Scope& w) { Encoder(w, config); });
    const EncoderKeys keys = encoder_keys(list);
    EXPECT_TRUE(plan.compare(list, keys.rename(), keys.ignore()).matches()) << manifest;
    EXPECT_EQ(plan.entries().size(), list.size()) << manifest;
    const EncoderConfig seen = encoder_config_from_tensors(list);
    EXPECT_EQ(seen.vocab_size, config.vocab_size);
    EXPECT_EQ(seen.num_layers, config.num_layers);
    EXPECT_EQ(seen.d_kv, config.d_kv);
    EXPECT_EQ(seen.d_ff, config.d_ff);
    EXPECT_EQ(seen.bias_in_every_layer, config.bias_in_every_layer);
  }
}

std::vector<weights::TensorInfo> behind(const std::string& prefix, std::vector<weights::TensorInfo> list) {
  for (auto& info : list) info.name = prefix + info.name;
  return list;
}

/// A list of tensors in memory, for what needs no data.
bool fits(const std::vector<weights::TensorInfo>& list, const EncoderConfig& config) {
  const EncoderKeys keys = encoder_keys(list);
  const auto plan = weights::record([&](const weights::Scope& w) { Encoder(w, config); });
  return plan.compare(list, keys.rename(), keys.ignore()).matches();
}

TEST(T5Manifest, OneEmbeddingUnderBothNamesIsReadOnce) {
  const auto list = tests::read_manifest("t5-xxl-enc-single");
  if (list.empty()) GTEST_SKIP() << "needs the shared data folder";
  const EncoderConfig config = encoder_config_from_tensors(list);
  EXPECT_FALSE(config.bias_in_every_layer);
  EXPECT_EQ(config.vocab_size, 32128);
  EXPECT_TRUE(fits(list, config));
  auto untied = list;
  std::erase_if(untied, [](const auto& info) { return info.name == "shared.weight"; });
  EXPECT_TRUE(fits(untied, config));
  untied.push_back({"encoder.block.0.layer.2.extra.weight", at::kFloat, {3}});
  EXPECT_FALSE(fits(untied, config));
}

TEST(T5Manifest, TheEncoderOfAWholeCheckpointIsFoundBehindItsPrefix) {
  auto list = tests::read_manifest("sd3-medium-incl-clips");
  if (list.empty()) GTEST_SKIP() << "needs the shared data folder";
  const std::string prefix = "text_encoders.t5xxl.transformer.";
  for (auto& info : behind(prefix, tests::read_manifest("t5-xxl-enc"))) list.push_back(info);
  EXPECT_EQ(encoder_keys(list).prefix, prefix);
  const EncoderConfig config = encoder_config_from_tensors(list);
  EXPECT_EQ(config.num_layers, 24);
  EXPECT_TRUE(fits(list, config));
  list.push_back({prefix + "encoder.block.24.layer.0.layer_norm.weight", at::kFloat, {4096}});
  EXPECT_FALSE(fits(list, config));
}

TEST(T5Config, FilesOfFluxAndSd3StateT5Xxl) {
  const std::filesystem::path ours = KEYFLOW_SOURCE_DIR "/configs/t5/t5_xxl.json";
  const EncoderConfig expected = encoder_config_from_json(read_json(ours), ours.string());
  for (const char* name : {"flux1-dev/text_encoder_2", "flux1-schnell/text_encoder_2", "sd3-medium/text_encoder_3"}) {
    const auto path = std::filesystem::path(KEYFLOW_SHARED_DATA) / "configs" / name / "config.json";
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the shared data folder";
    const EncoderConfig config = encoder_config_from_json(read_json(path), path.string());
    EXPECT_EQ(config.vocab_size, expected.vocab_size) << name;
    EXPECT_EQ(config.num_layers, expected.num_layers) << name;
    EXPECT_EQ(config.d_ff, expected.d_ff) << name;
    EXPECT_FALSE(config.bias_in_every_layer) << name;
  }
}

TEST(T5Encoder, RefusesAnIdOutsideTheVocabulary) {
  EncoderConfig config{.vocab_size = 10, .d_model = 8, .d_kv = 4, .num_heads = 2, .d_ff = 8, .num_layers = 1};
  weights::InitSource init(1);
  const Encoder encoder(weights::Scope(init, Compute{}), config);
  EXPECT_THROW(encoder(at::tensor({1L, 10L}).view({1, 2})), Error);
}

TEST(T5Config, ListsWhatItDoesNotKnow) {
  const auto json = parse_json(R"({"model_type": "umt5", "d_modle": 5})", "config.json");
  try {
    encoder_config_from_json(json, "config.json");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("d_modle"), std::string::npos);
  }
}

}  // namespace
}  // namespace keyflow::t5
