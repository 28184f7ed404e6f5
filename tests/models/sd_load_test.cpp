#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "models/sd/keys.h"
#include "models/sd/load.h"
#include "models/sd/prediction_type.h"
#include "tests/models/sd_tiny.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using sd::PredictionType;
using tests::tiny_unet;

/// The tensors of a U-Net under the original names, to be changed by hand.
class SdLoad : public ::testing::Test {
 protected:
  using Tensors = std::map<std::string, at::Tensor>;

  ~SdLoad() override { fs::remove(path_); }

  static Tensors tensors_of(const sd::UNetConfig& config) {
    weights::InitSource init(1);
    sd::UNet(weights::Scope(init, {}), config);
    const auto rename = sd::unet_keys(config, sd::Spelling::original, "model.diffusion_model.").rename();
    Tensors tensors;
    for (const auto& [name, tensor] : init.named()) tensors[rename(name).name] = tensor.detach();
    return tensors;
  }
  std::shared_ptr<weights::TensorFile> file(const Tensors& tensors,
                                            const std::map<std::string, std::string>& metadata = {}) const {
    weights::save_safetensors(path_, {tensors.begin(), tensors.end()}, metadata);
    return weights::open_tensors(path_);
  }
  std::string refusal(const Tensors& tensors) const {
    try {
      sd::load_unet(file(tensors), tiny_unet(), {});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::weights);
      return error.what();
    }
    ADD_FAILURE() << "loaded";
    return "";
  }

  fs::path path_ = fs::temp_directory_path() / ("keyflow_sd_load_" + std::to_string(getpid()) + ".safetensors");
};

TEST_F(SdLoad, ListsWhatDoesNotFit) {
  Tensors tensors = tensors_of(tiny_unet());
  const std::string in = "model.diffusion_model.";
  tensors.erase(in + "middle_block.0.in_layers.0.weight");
  tensors[in + "input_blocks.1.0.spare"] = randn({2}, 1);
  tensors[in + "out.2.weight"] = randn({3, 16, 3, 3}, 1);
  tensors["embedding_manager.x"] = randn({2}, 1);
  const std::string text = refusal(tensors);
  for (const char* part :
       {"1 missing, 2 unexpected, 1 of another shape", "middle_block.0.in_layers.0.weight [32]",
        "input_blocks.1.0.spare", "embedding_manager.x", "out.2.weight: model [4, 16, 3, 3], file"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
}

TEST_F(SdLoad, PredictionTypeIsFoundByStatementThenMarkThenSpread) {
  sd::UNetConfig sd2 = tiny_unet();
  sd2.use_linear_projection = true;
  Tensors tensors = tensors_of(sd2);
  const auto type = [&](const Tensors& in, const sd::UNetConfig& config, const std::string& stated = "") {
    const std::map<std::string, std::string> metadata{{"modelspec.prediction_type", stated}};
    return sd::prediction_of(*file(in, stated.empty() ? std::map<std::string, std::string>{} : metadata), config).type;
  };
  EXPECT_EQ(type(tensors, sd2), PredictionType::epsilon);
  EXPECT_EQ(type(tensors, sd2, "v"), PredictionType::v_prediction);
  Tensors spread = tensors;
  const std::string bias = "model.diffusion_model.output_blocks.3.1.transformer_blocks.0.norm1.bias";
  ASSERT_TRUE(spread.count(bias));
  spread[bias] = randn({16}, 3);
  EXPECT_EQ(type(spread, sd2), PredictionType::v_prediction);
  EXPECT_EQ(type(spread, sd2, "epsilon"), PredictionType::epsilon);
  EXPECT_EQ(sd::unet_config(*file(spread)).sample_size, 96);
  EXPECT_EQ(sd::unet_config(*file(tensors)).sample_size, 64);
  EXPECT_EQ(type(spread, tiny_unet()), PredictionType::epsilon) << "only SD2 is told by it";
  Tensors marked = tensors;
  marked["v_pred"] = marked["ztsnr"] = randn({1}, 1);
  EXPECT_EQ(type(marked, sd2), PredictionType::v_prediction);
  EXPECT_TRUE(sd::prediction_of(*file(marked), sd2).zero_terminal_snr);
  EXPECT_FALSE(sd::prediction_of(*file(tensors), sd2).zero_terminal_snr);
  EXPECT_THROW(type(tensors, sd2, "flow"), Error);
  Tensors edm = tensors;
  edm["edm_mean"] = randn({1, 4, 1, 1}, 1);
  EXPECT_THROW(type(edm, sd2), Error);
}

}  // namespace
}  // namespace keyflow
