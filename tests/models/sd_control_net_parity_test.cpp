#include <c10/core/InferenceMode.h>

#include "models/sd/load.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using sd::ControlResiduals;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/sd";

class SdControlNetParity : public ::testing::TestWithParam<std::string> {
 protected:
  SdControlNetParity()
      : case_(weights::open_tensors(kReference / (GetParam() + "_case.safetensors"))),
        control_case_(weights::open_tensors(kReference / (name() + "_case.safetensors"))) {}

  std::string name() const { return GetParam() + "_control"; }
  at::Tensor given(const std::string& tensor) const {
    if (case_->find(tensor)) return case_->read(tensor);
    return control_case_->find(tensor) ? control_case_->read(tensor) : at::Tensor();
  }
  sd::AddedConditions added() const { return {given("pooled"), given("time_ids"), {}}; }

  sd::ControlNet from_folder(const std::string& folder, const Compute& compute = {}) const {
    const auto file = weights::open_tensors(kReference / folder);
    return sd::load_control_net(file, sd::control_net_config(*file, kReference / folder / "config.json"), compute);
  }
  ControlResiduals residuals(const sd::ControlNet& net, const char* picture,
                             const sd::ControlStrength& strength) const {
    return net(given("latents"), given("timestep"), given("context"), added(), net.embed(given(picture)), strength);
  }
  at::Tensor output(const ControlResiduals& residuals) const {
    const auto file = weights::open_tensors(kReference / GetParam());
    const auto unet = sd::load_unet(file, sd::unet_config(*file, kReference / GetParam() / "config.json"), {});
    return unet(given("latents"), given("timestep"), given("context"), added(), &residuals);
  }
  at::Tensor expected(const std::string& tensor) const { return control_case_->read(tensor); }

  void expect_residuals(const ControlResiduals& actual, const std::string& prefix, double tolerance) const {
    for (size_t i = 0; i < actual.down.size(); ++i) {
      EXPECT_TRUE(near(actual.down[i], expected(prefix + "_" + std::to_string(i)), tolerance)) << i;
    }
    EXPECT_TRUE(near(actual.middle, expected(prefix + "_middle"), tolerance));
    EXPECT_EQ(control_case_->find(prefix + "_" + std::to_string(actual.down.size())), nullptr);
  }

  std::shared_ptr<weights::TensorFile> case_, control_case_;
};

TEST_P(SdControlNetParity, FolderThatDiffusersSaved) {
  const c10::InferenceMode guard;
  const ControlResiduals one = residuals(from_folder(name()), "picture", {0.7});
  expect_residuals(one, "one", 1e-5);
  EXPECT_TRUE(near(output(one), expected("output"), 1e-5));
}

TEST_P(SdControlNetParity, GuessModeIsWeakAtFineLevels) {
  const c10::InferenceMode guard;
  expect_residuals(residuals(from_folder(name()), "picture", {0.7, true}), "guess", 1e-5);
}

TEST_P(SdControlNetParity, SeveralSumAndOneMayActOnTheWholePicture) {
  const c10::InferenceMode guard;
  const ControlResiduals pooled = residuals(from_folder(name() + "_pooled"), "other_picture", {1.3});
  expect_residuals(pooled, "pooled", 1e-5);
  ControlResiduals sum;
  sd::add(sum, residuals(from_folder(name()), "picture", {0.7}));
  sd::add(sum, pooled);
  EXPECT_TRUE(near(output(sum), expected("output_both"), 1e-5));
}

TEST_P(SdControlNetParity, OriginalNamesGiveTheSameBits) {
  const c10::InferenceMode guard;
  const sd::ControlNet reference = from_folder(name());
  const ControlResiduals wanted = residuals(reference, "picture", {});
  for (const char* suffix : {"_single.safetensors", "_original.safetensors"}) {
    const auto file = weights::open_tensors(kReference / (name() + suffix));
    auto config = sd::control_net_config(*file);
    config.encoder.heads = reference.config().encoder.heads;
    config.encoder.norm_num_groups = reference.config().encoder.norm_num_groups;
    config.encoder.addition_time_embed_dim = reference.config().encoder.addition_time_embed_dim;
    config.bgr = reference.config().bgr;
    const ControlResiduals found = residuals(sd::load_control_net(file, config, {}), "picture", {});
    for (size_t i = 0; i < found.down.size(); ++i) EXPECT_TRUE(found.down[i].equal(wanted.down[i])) << suffix << i;
    EXPECT_TRUE(found.middle.equal(wanted.middle)) << suffix;
  }
}

TEST_P(SdControlNetParity, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  const Compute half{at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kBFloat16};
  expect_residuals(residuals(from_folder(name(), half), "picture", {0.7}), "one", 4e-2);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SdControlNetParity, ::testing::Values("sd1", "sdxl"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
