#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "models/wan/vae.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow::wan {
namespace {

using tests::near;

const std::filesystem::path kFolder = KEYFLOW_BINARY_DIR "/reference/vae";

/// The folder that diffusers saved, opened as a render opens it.
struct VaeParity : ::testing::Test {
  at::NoGradGuard no_grad;
  VaeConfig config = vae_config_from_json(kFolder / "vae" / "config.json");
  std::shared_ptr<weights::TensorFile> file = weights::open_tensors(kFolder / "vae");
  weights::FileSource source{file, vae_rename(*file, config)};
  std::shared_ptr<weights::TensorFile> tensors = weights::open_tensors(kFolder / "tensors.safetensors");
};

TEST_F(VaeParity, PlanMatchesTheFile) {
  const auto plan = weights::record([&](const weights::Scope& w) { Vae(w, config); });
  EXPECT_NO_THROW(plan.require_match(*file, "the tiny VAE", vae_rename(*file, config)));
}

TEST_F(VaeParity, EncodesAndDecodesAsDiffusersDoes) {
  const Vae vae(weights::Scope(source, Compute{}), config);
  for (const char* count : {"1", "5", "9", "17"}) {
    const auto tensor = [&](const char* name) { return tensors->read(std::string(name) + count); };
    EXPECT_TRUE(near(vae.encode(tensor("video")), tensor("latents"), 1e-5)) << count;
    EXPECT_TRUE(near(vae.decode(tensor("latents")), tensor("decoded"), 1e-5)) << count;
  }
}

TEST_F(VaeParity, TilesAsDiffusersDoes) {
  const Vae vae(weights::Scope(source, Compute{}), config);
  const Tiling tiling{.tile = 32, .overlap = 8};
  EXPECT_TRUE(near(vae.encode(tensors->read("tiled_video"), tiling), tensors->read("tiled_latents"), 1e-5));
  EXPECT_TRUE(near(vae.decode(tensors->read("tiled_latents"), tiling), tensors->read("tiled_decoded"), 1e-5));
}

}  // namespace
}  // namespace keyflow::wan
