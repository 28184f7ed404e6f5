#include <c10/core/InferenceMode.h>

#include "models/sd3/keys.h"
#include "models/sd3/transformer_load.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/sd3_transformer";

class Sd3TransformerParity : public ::testing::TestWithParam<std::string> {
 protected:
  Sd3TransformerParity() : case_(weights::open_tensors(kReference / (GetParam() + "_case.safetensors"))) {}

  at::Tensor given(const std::string& name) const { return case_->read(name); }

  at::Tensor velocity(const sd3::Transformer& model, const std::vector<int64_t>& skip = {}) const {
    return model(given("latents"), given("timestep"), model.prepare(given("text"), given("pooled")), skip);
  }

  sd3::Transformer from_folder(const Compute& compute = {}) const {
    const auto file = weights::open_tensors(kReference / GetParam());
    return sd3::load_transformer(file, sd3::transformer_config(*file, kReference / GetParam() / "config.json"),
                                 compute);
  }

  std::shared_ptr<weights::TensorFile> case_;
};

TEST_P(Sd3TransformerParity, FolderThatDiffusersSaved) {
  const c10::InferenceMode guard;
  const auto result = near(velocity(from_folder()), given("velocity"), 1e-5);
  EXPECT_TRUE(result);
  RecordProperty("difference", result.message());
}

TEST_P(Sd3TransformerParity, DifferentiablePathGivesTheSame) {
  EXPECT_TRUE(near(velocity(from_folder()), given("velocity"), 1e-5));
}

TEST_P(Sd3TransformerParity, LeavesOutTheLayersThatAreSkipped) {
  const c10::InferenceMode guard;
  const sd3::Transformer model = from_folder();
  EXPECT_TRUE(near(velocity(model, {1}), given("without_1"), 1e-5));
  EXPECT_TRUE(near(velocity(model, {2, 0}), given("without_0_2"), 1e-5));
  EXPECT_FALSE(near(velocity(model, {1}), given("velocity"), 1e-3));
}

TEST_P(Sd3TransformerParity, StabilityNamesGiveTheSameBits) {
  const c10::InferenceMode guard;
  const at::Tensor expected = velocity(from_folder());
  for (const char* suffix : {"_sai.safetensors", "_whole.safetensors"}) {
    const auto file = weights::open_tensors(kReference / (GetParam() + suffix));
    EXPECT_EQ(sd3::transformer_keys(file->tensors()).spelling, sd3::Spelling::sai);
    auto config = sd3::transformer_config_from_tensors(file->tensors());
    // The head size leaves no trace without norms; the published networks have the default.
    config.attention_head_dim = 20;
    config.num_attention_heads = 3;
    EXPECT_TRUE(velocity(sd3::load_transformer(file, config, {})).equal(expected)) << suffix;
  }
}

TEST_P(Sd3TransformerParity, NamesWhatAFileLacksAndWhatItHasTooMuch) {
  const auto file = weights::open_tensors(kReference / (GetParam() + "_sai.safetensors"));
  auto config = sd3::transformer_config_from_tensors(file->tensors());
  config.attention_head_dim = 20;
  config.num_attention_heads = 3;
  std::vector<std::pair<std::string, at::Tensor>> changed{
      {"extra.weight", file->read("joint_blocks.1.context_block.attn.qkv.bias")}};
  for (const auto& info : file->tensors()) {
    if (info.name != "joint_blocks.1.context_block.attn.qkv.bias")
      changed.emplace_back(info.name, file->read(info.name));
  }
  const fs::path path = kReference / (GetParam() + "_changed.safetensors");
  weights::save_safetensors(path, changed);
  try {
    sd3::load_transformer(weights::open_tensors(path), config, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    const std::string text = error.what();
    for (const char* part :
         {"the SD3 transformer of 3 blocks of width 60; 1 missing, 1 unexpected, 0 of another shape",
          "missing     joint_blocks.1.context_block.attn.qkv.bias [", "unexpected  extra.weight ["}) {
      EXPECT_NE(text.find(part), std::string::npos) << part << "\nin " << text;
    }
  }
}

TEST_P(Sd3TransformerParity, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  const Compute half{at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kFloat};
  EXPECT_TRUE(near(velocity(from_folder(half)), given("velocity"), 3e-2));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Sd3TransformerParity, ::testing::Values("sd3_medium", "sd35_medium", "sd35_large"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
