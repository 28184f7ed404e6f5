#include <c10/core/InferenceMode.h>

#include "models/wan/keys.h"
#include "models/wan/transformer_load.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/wan_transformer";

class WanTransformerParity : public ::testing::TestWithParam<std::string> {
 protected:
  WanTransformerParity() : case_(weights::open_tensors(kReference / (GetParam() + "_case.safetensors"))) {}

  at::Tensor given(const std::string& name) const { return case_->read(name); }

  at::Tensor velocity(const wan::Transformer& model) const {
    const at::Tensor image = case_->find("image") ? given("image") : at::Tensor();
    return model(given("latents"), given("timestep"), model.prepare(given("text"), image));
  }

  wan::Transformer from_folder(const Compute& compute = {}) const {
    const auto file = weights::open_tensors(kReference / GetParam());
    return wan::load_transformer(file, wan::transformer_config(*file, kReference / GetParam() / "config.json"),
                                 compute);
  }

  std::shared_ptr<weights::TensorFile> case_;
};

TEST_P(WanTransformerParity, FolderThatDiffusersSaved) {
  const c10::InferenceMode guard;
  const auto result = near(velocity(from_folder()), given("velocity"), 1e-5);
  EXPECT_TRUE(result);
  RecordProperty("difference", result.message());
}

TEST_P(WanTransformerParity, DifferentiablePathGivesTheSame) {
  EXPECT_TRUE(near(velocity(from_folder()), given("velocity"), 1e-5));
}

TEST_P(WanTransformerParity, OfficialNamesGiveTheSameBits) {
  const c10::InferenceMode guard;
  const at::Tensor expected = velocity(from_folder());
  for (const char* suffix : {"_official.safetensors", "_prefixed.safetensors"}) {
    const auto file = weights::open_tensors(kReference / (GetParam() + suffix));
    // The head size leaves no trace in shapes; Wan's own config.json states it.
    auto config = wan::transformer_config(*file);
    config.num_heads = 3;
    EXPECT_TRUE(velocity(wan::load_transformer(file, config, {})).equal(expected)) << suffix;
  }
}

TEST_P(WanTransformerParity, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  const Compute half{at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kFloat};
  EXPECT_TRUE(near(velocity(from_folder(half)), given("velocity"), 3e-2));
}

INSTANTIATE_TEST_SUITE_P(Kinds, WanTransformerParity, ::testing::Values("t2v", "i2v", "flf2v"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
