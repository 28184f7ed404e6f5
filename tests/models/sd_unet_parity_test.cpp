#include <c10/core/InferenceMode.h>

#include "models/sd/load.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/sd";

class SdUNetParity : public ::testing::TestWithParam<std::string> {
 protected:
  SdUNetParity() : case_(weights::open_tensors(kReference / (GetParam() + "_case.safetensors"))) {}

  at::Tensor given(const std::string& name) const { return case_->find(name) ? case_->read(name) : at::Tensor(); }

  at::Tensor output(const sd::UNet& unet, const at::Tensor& latents) const {
    return unet(latents, given("timestep"), given("context"), {given("pooled"), given("time_ids"), given("guidance")});
  }
  at::Tensor output(const sd::UNet& unet) const { return output(unet, given("latents")); }

  sd::UNet from_folder(const Compute& compute = {}) const {
    const auto file = weights::open_tensors(kReference / GetParam());
    return sd::load_unet(file, sd::unet_config(*file, kReference / GetParam() / "config.json"), compute);
  }

  std::shared_ptr<weights::TensorFile> case_;
};

TEST_P(SdUNetParity, FolderThatDiffusersSaved) {
  const c10::InferenceMode guard;
  const sd::UNet unet = from_folder();
  const auto result = near(output(unet), given("output"), 1e-5);
  EXPECT_TRUE(result);
  RecordProperty("difference", result.message());
  const at::Tensor even = given("latents").narrow(2, 0, 8).narrow(3, 0, 8);
  EXPECT_TRUE(near(output(unet, even), given("output_8x8"), 1e-5));
}

TEST_P(SdUNetParity, DifferentiablePathGivesTheSame) {
  EXPECT_TRUE(near(output(from_folder()), given("output"), 1e-5));
}

TEST_P(SdUNetParity, OriginalNamesGiveTheSameBits) {
  const c10::InferenceMode guard;
  const sd::UNet reference = from_folder();
  const at::Tensor expected = output(reference);
  for (const char* suffix : {"_single.safetensors", "_original.safetensors"}) {
    const auto file = weights::open_tensors(kReference / (GetParam() + suffix));
    // Heads, norms and the order of waves leave no trace in shapes; tiny ones are not the published ones.
    auto config = sd::unet_config(*file);
    config.heads = reference.config().heads;
    config.norm_num_groups = reference.config().norm_num_groups;
    config.norm_eps = reference.config().norm_eps;
    config.addition_time_embed_dim = reference.config().addition_time_embed_dim;
    config.flip_sin_to_cos = reference.config().flip_sin_to_cos;
    config.freq_shift = reference.config().freq_shift;
    EXPECT_TRUE(output(sd::load_unet(file, config, {})).equal(expected)) << suffix;
  }
}

TEST_P(SdUNetParity, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  const Compute half{at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kBFloat16};
  EXPECT_TRUE(near(output(from_folder(half)), given("output"), 4e-2));
}

INSTANTIATE_TEST_SUITE_P(Kinds, SdUNetParity,
                         ::testing::Values("sd1", "sd2", "sdxl", "refiner", "inpaint", "lcm", "plain_middle"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
