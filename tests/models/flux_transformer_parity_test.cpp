#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>

#include "models/flux/keys.h"
#include "models/flux/packing.h"
#include "models/flux/transformer_load.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/flux_transformer";

class FluxTransformerParity : public ::testing::TestWithParam<std::string> {
 protected:
  FluxTransformerParity() : case_(weights::open_tensors(kReference / (GetParam() + "_case.safetensors"))) {}

  at::Tensor given(const std::string& name) const { return case_->find(name) ? case_->read(name) : at::Tensor(); }

  at::Tensor velocity(const flux::Transformer& model) const {
    at::Tensor latents = given("latents");
    if (case_->find("mask")) latents = at::cat({latents, given("masked"), flux::mask_channels(given("mask"))}, 1);
    return model(latents, given("timestep"), model.prepare(given("text"), given("pooled"), given("guidance")));
  }

  flux::Transformer from_folder(const Compute& compute = {}) const {
    const auto file = weights::open_tensors(kReference / GetParam());
    return flux::load_transformer(file, flux::transformer_config(*file, kReference / GetParam() / "config.json"),
                                  compute);
  }

  std::shared_ptr<weights::TensorFile> case_;
};

TEST_P(FluxTransformerParity, FolderThatDiffusersSaved) {
  const c10::InferenceMode guard;
  const auto result = near(velocity(from_folder()), given("velocity"), 1e-5);
  EXPECT_TRUE(result);
  RecordProperty("difference", result.message());
}

TEST_P(FluxTransformerParity, DifferentiablePathGivesTheSame) {
  EXPECT_TRUE(near(velocity(from_folder()), given("velocity"), 1e-5));
}

TEST_P(FluxTransformerParity, BlackForestLabsNamesGiveTheSameBits) {
  const c10::InferenceMode guard;
  const at::Tensor expected = velocity(from_folder());
  for (const char* suffix : {"_bfl.safetensors", "_whole.safetensors"}) {
    const auto file = weights::open_tensors(kReference / (GetParam() + suffix));
    EXPECT_EQ(flux::transformer_keys(file->tensors()).spelling, flux::Spelling::bfl);
    auto config = flux::transformer_config_from_tensors(file->tensors());
    // These leave no trace in shapes; the published networks have the default.
    config.axes_dims_rope = {4, 10, 6};
    EXPECT_TRUE(velocity(flux::load_transformer(file, config, {})).equal(expected)) << suffix;
  }
}

TEST_P(FluxTransformerParity, NamesWhatAFileLacksAndWhatItHasTooMuch) {
  const auto file = weights::open_tensors(kReference / (GetParam() + "_bfl.safetensors"));
  auto config = flux::transformer_config_from_tensors(file->tensors());
  config.axes_dims_rope = {4, 10, 6};
  std::vector<std::pair<std::string, at::Tensor>> changed{{"extra.weight", file->read("single_blocks.1.linear1.bias")}};
  for (const auto& info : file->tensors()) {
    if (info.name != "single_blocks.1.linear1.bias") changed.emplace_back(info.name, file->read(info.name));
  }
  const fs::path path = kReference / (GetParam() + "_changed.safetensors");
  weights::save_safetensors(path, changed);
  try {
    flux::load_transformer(weights::open_tensors(path), config, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    const std::string text = error.what();
    for (const char* part : {"the FLUX transformer of 2 double and 2 single blocks of width 60; 1 missing, 1 "
                             "unexpected, 0 of another shape",
                             "missing     single_blocks.1.linear1.bias [", "unexpected  extra.weight ["}) {
      EXPECT_NE(text.find(part), std::string::npos) << part << "\nin " << text;
    }
  }
}

TEST_P(FluxTransformerParity, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  const Compute half{at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kFloat};
  EXPECT_TRUE(near(velocity(from_folder(half)), given("velocity"), 3e-2));
}

TEST_P(FluxTransformerParity, PacksAndCountsAsDiffusersDoes) {
  const at::Tensor latents = given("latents");
  EXPECT_TRUE(flux::pack(latents).equal(given("tokens")));
  EXPECT_TRUE(flux::unpack(given("tokens"), 6, 10).equal(latents));
  EXPECT_TRUE(flux::picture_ids(3, 5).to(at::kFloat).equal(given("ids")));
}

INSTANTIATE_TEST_SUITE_P(Kinds, FluxTransformerParity, ::testing::Values("schnell", "dev", "fill"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
