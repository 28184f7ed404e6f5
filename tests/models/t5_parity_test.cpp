#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/t5/encoder.h"
#include "models/t5/keys.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow::t5 {
namespace {

using tests::near;

const std::filesystem::path kFolder = KEYFLOW_BINARY_DIR "/reference/t5";

struct T5Parity : ::testing::TestWithParam<const char*> {
  at::NoGradGuard no_grad;
  std::string name = GetParam();
  EncoderConfig config = encoder_config_from_json(read_json(kFolder / name / "config.json"), "config.json");
  std::shared_ptr<weights::TensorFile> file = weights::open_tensors(kFolder / name);
  std::shared_ptr<weights::TensorFile> tensors = weights::open_tensors(kFolder / "tensors.safetensors");
  at::Tensor tensor(const char* what) { return tensors->read(name + "." + what); }
};

TEST_P(T5Parity, EncodesAsTransformersDoes) {
  const Encoder encoder = load_encoder(file, config, Compute{});
  EXPECT_TRUE(near(encoder(tensor("ids")), tensor("whole"), 1e-5));
  const at::Tensor masked = encoder(tensor("ids"), tensor("mask")), expected = tensor("masked");
  EXPECT_TRUE(near(masked[0], expected[0], 1e-5));
  EXPECT_TRUE(near(masked[1].narrow(0, 0, 57), expected[1].narrow(0, 0, 57), 1e-5));
}

TEST_P(T5Parity, RealTokensAloneEqualPaddedOnes) {
  const Encoder encoder = load_encoder(file, config, Compute{});
  const at::Tensor alone = encoder(tensor("ids").narrow(0, 1, 1).narrow(1, 0, 57));
  EXPECT_TRUE(near(alone[0], tensor("masked")[1].narrow(0, 0, 57), 1e-5));
}

TEST_P(T5Parity, ReadsTheOfficialNames) {
  const EncoderKeys keys = encoder_keys(file->tensors());
  const auto plan = weights::record([&](const weights::Scope& w) { Encoder(w, config); });
  std::vector<std::pair<std::string, at::Tensor>> renamed;
  for (const auto& [model, shape] : plan.entries()) renamed.emplace_back(model, file->read(keys.rename()(model).name));
  const std::filesystem::path path = kFolder / (name + "-official.safetensors");
  weights::save_safetensors(path, renamed);
  const Encoder encoder = load_encoder(weights::open_tensors(path), config, Compute{});
  EXPECT_TRUE(encoder(tensor("ids")).equal(load_encoder(file, config, Compute{})(tensor("ids"))));
}

TEST_P(T5Parity, ReadsTheEncoderOfAWholeCheckpoint) {
  std::vector<std::pair<std::string, at::Tensor>> whole{{"model.diffusion_model.pos_embed", tensor("whole")},
                                                        {"text_encoders.t5xxl.logit_scale", tensor("whole")}};
  for (const auto& info : file->tensors()) {
    whole.emplace_back("text_encoders.t5xxl.transformer." + info.name, file->read(info.name));
  }
  const std::filesystem::path path = kFolder / (name + "-whole.safetensors");
  weights::save_safetensors(path, whole);
  const Encoder encoder = load_encoder(weights::open_tensors(path), config, Compute{});
  EXPECT_TRUE(encoder(tensor("ids")).equal(load_encoder(file, config, Compute{})(tensor("ids"))));
}

TEST_P(T5Parity, ConfigurationShowsInTheTensors) {
  const EncoderConfig seen = encoder_config_from_tensors(file->tensors());
  EXPECT_EQ(seen.num_heads, config.num_heads);
  EXPECT_EQ(seen.d_kv, config.d_kv);
  EXPECT_EQ(seen.bias_in_every_layer, config.bias_in_every_layer);
}

INSTANTIATE_TEST_SUITE_P(Families, T5Parity, ::testing::Values("umt5", "t5"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow::t5
