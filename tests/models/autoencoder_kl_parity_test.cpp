#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/autoencoder_kl/autoencoder.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using autoencoder_kl::AutoencoderKl;
using autoencoder_kl::Posterior;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/autoencoder_kl";

class AutoencoderKlParity : public ::testing::TestWithParam<std::string> {
 protected:
  AutoencoderKl load(const fs::path& path) const {
    const auto file = weights::open_tensors(path);
    const fs::path json = kReference / GetParam() / "config.json";
    const auto shown = autoencoder_kl::autoencoder_config_from_tensors(file->tensors());
    const auto config = autoencoder_kl::autoencoder_config_from_json(read_json(json), json.string());
    EXPECT_EQ(shown.block_out_channels, config.block_out_channels);
    EXPECT_EQ(shown.layers_per_block, config.layers_per_block);
    EXPECT_EQ(shown.latent_channels, config.latent_channels);
    EXPECT_EQ(shown.use_quant_conv, config.use_quant_conv);
    EXPECT_EQ(shown.mid_block_add_attention, config.mid_block_add_attention);
    return autoencoder_kl::load_autoencoder(file, config, {});
  }
  fs::path variant(const char* name) const { return kReference / (GetParam() + name + ".safetensors"); }
  at::Tensor tensor(const char* name) const { return case_->read(name); }

  c10::InferenceMode guard_;
  std::shared_ptr<weights::TensorFile> case_ = weights::open_tensors(kReference / (GetParam() + "_case.safetensors"));
};

TEST_P(AutoencoderKlParity, FolderThatDiffusersSaved) {
  const AutoencoderKl model = load(kReference / GetParam());
  const Posterior posterior = model.encode(tensor("pixels"));
  const auto mean = near(posterior.mode(), tensor("mean"), 1e-5),
             decoded = near(model.decode(tensor("latents")), tensor("decoded"), 1e-5);
  EXPECT_TRUE(mean);
  EXPECT_TRUE(decoded);
  EXPECT_TRUE(near(posterior.logvar, tensor("logvar"), 1e-5));
  EXPECT_TRUE(near(posterior.sample(tensor("noise")), tensor("sample"), 1e-5));
  EXPECT_TRUE(near(model.scale(posterior.mode()), tensor("scaled"), 1e-5));
  EXPECT_TRUE(near(model.unscale(model.scale(tensor("latents"))), tensor("latents"), 1e-6));
  RecordProperty("mean", mean.message());
  RecordProperty("decoded", decoded.message());
}

TEST_P(AutoencoderKlParity, OtherSpellingsGiveTheSame) {
  const AutoencoderKl model = load(kReference / GetParam());
  const at::Tensor mean = model.encode(tensor("pixels")).mean, decoded = model.decode(tensor("latents"));
  for (const char* name : {"_old", "_ldm", "_pipeline"}) {
    const AutoencoderKl other = load(variant(name));
    EXPECT_TRUE(other.encode(tensor("pixels")).mean.equal(mean)) << name;
    EXPECT_TRUE(other.decode(tensor("latents")).equal(decoded)) << name;
  }
}

// Bands of four rows at every level, of one and a half, and one band for all.
TEST_P(AutoencoderKlParity, TiledEqualsWhole) {
  const AutoencoderKl model = load(kReference / GetParam());
  for (const int64_t tile : {1, 9, 20, 1000}) {
    const auto mean = near(model.encode(tensor("pixels"), {tile}).mean, tensor("mean"), 1e-5),
               decoded = near(model.decode(tensor("latents"), {tile}), tensor("decoded"), 1e-5);
    EXPECT_TRUE(mean) << "tile " << tile;
    EXPECT_TRUE(decoded) << "tile " << tile;
    RecordProperty("tile" + std::to_string(tile), decoded.message());
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, AutoencoderKlParity, ::testing::Values("quantised", "shifted", "without_attention"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
