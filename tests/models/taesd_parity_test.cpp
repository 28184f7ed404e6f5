#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "media/picture.h"
#include "media/resize.h"
#include "models/taesd/tiny_load.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/taesd";
const fs::path kShared = KEYFLOW_SHARED_DATA;

at::Tensor of_case(const std::string& name, const char* tensor) {
  return weights::open_tensors(kReference / (name + "_case.safetensors"))->read(tensor);
}

struct Pair {
  taesd::Encoder encoder;
  taesd::Decoder decoder;
};

Pair load(const fs::path& encoder, const fs::path& decoder) {
  return {taesd::load_encoder(weights::open_tensors(encoder), {}),
          taesd::load_decoder(weights::open_tensors(decoder), {})};
}

TEST(TaesdParity, FolderThatDiffusersSaved) {
  const c10::InferenceMode guard;
  const fs::path json = kReference / "random/config.json";
  taesd::require_known(read_json(json), json.string());
  const Pair pair = load(kReference / "random", kReference / "random");
  EXPECT_EQ(pair.decoder.config().blocks, (std::vector<int64_t>{3, 2, 1}));
  EXPECT_TRUE(near(pair.encoder(of_case("random", "pixels")), of_case("random", "encoded"), 1e-5));
  EXPECT_TRUE(near(pair.decoder(of_case("random", "latents")), of_case("random", "decoded"), 1e-5));
}

TEST(TaesdParity, OtherSpellingsGiveTheSame) {
  const c10::InferenceMode guard;
  const at::Tensor pixels = of_case("random", "pixels"), latents = of_case("random", "latents");
  const Pair folder = load(kReference / "random", kReference / "random");
  const fs::path both = kReference / "random_both.safetensors";
  for (const Pair& other :
       {load(kReference / "random_encoder.safetensors", kReference / "random_decoder.safetensors"), load(both, both)}) {
    EXPECT_TRUE(other.encoder(pixels).equal(folder.encoder(pixels)));
    EXPECT_TRUE(other.decoder(latents).equal(folder.decoder(latents)));
  }
}

double psnr(const at::Tensor& actual, const at::Tensor& expected) {
  return -10 * std::log10((actual - expected).to(at::kDouble).square().mean().item<double>());
}

/// A picture through both halves, as the data's README measured it: values in [0, 1], clamped.
double round_trip(const Pair& pair, const at::Tensor& rgb) {
  const at::Tensor pixels = rgb.unsqueeze(0).to(at::kFloat) / 255;
  const at::Tensor back = pair.decoder(pair.encoder(pixels * 2 - 1)) / 2 + 0.5;
  return psnr(back.clamp(0, 1), pixels);
}

at::Tensor keyframe() {
  const fs::path path = kShared / "images/wan2.1/flf2v_input_first_frame.png";
  return media::resize_lanczos_pil(media::read_picture(path).rgb, 256, 256);
}

/// The first of the frames that stand one above another.
at::Tensor emoji() {
  return media::read_picture(kShared / "datasets/fluent_emoji_anim_128/1f30a.jpg").rgb.narrow(1, 0, 128);
}

struct Published {
  const char *name, *suffix;
  int64_t latent_channels;
  double keyframe_db, emoji_db;
};

class TaesdPublished : public ::testing::TestWithParam<Published> {};

TEST_P(TaesdPublished, RealPicturesComeBackAsGoodAsTheCardSays) {
  const c10::InferenceMode guard;
  const Published& published = GetParam();
  if (!fs::exists(kShared / "taesd")) GTEST_SKIP() << "needs the shared data folder";
  const auto file = [&](const char* half) {
    return kShared / "taesd" / (std::string(published.name) + "_" + half + published.suffix);
  };
  const Pair pair = load(file("encoder"), file("decoder"));
  EXPECT_EQ(pair.encoder.config().latent_channels, published.latent_channels);
  EXPECT_EQ(pair.decoder.config().latent_channels, published.latent_channels);
  EXPECT_EQ(pair.encoder.config().blocks, (std::vector<int64_t>{1, 3, 3, 3}));
  EXPECT_EQ(pair.decoder.config().blocks, (std::vector<int64_t>{3, 3, 3, 1}));
  const double keyframe_db = round_trip(pair, keyframe()), emoji_db = round_trip(pair, emoji());
  EXPECT_NEAR(keyframe_db, published.keyframe_db, 0.1);
  EXPECT_NEAR(emoji_db, published.emoji_db, 0.1);
  RecordProperty("db", c10::str(keyframe_db, " ", emoji_db));
  if (!fs::exists(kReference / (std::string(published.name) + "_case.safetensors"))) return;
  EXPECT_NEAR(keyframe_db, of_case(published.name, "psnr").item<double>(), 0.1);
  const auto decoded = near(pair.decoder(of_case(published.name, "latents")), of_case(published.name, "decoded"), 1e-5);
  EXPECT_TRUE(near(pair.encoder(of_case(published.name, "pixels")), of_case(published.name, "encoded"), 1e-5));
  EXPECT_TRUE(decoded);
  RecordProperty("decoded", decoded.message());
}

INSTANTIATE_TEST_SUITE_P(Files, TaesdPublished,
                         ::testing::Values(Published{"taesd", ".safetensors", 4, 25.21, 31.30},
                                           Published{"taesdxl", ".safetensors", 4, 24.91, 30.74},
                                           Published{"taesd3", ".safetensors", 16, 31.32, 34.54},
                                           Published{"taef1", ".safetensors", 16, 28.59, 33.28},
                                           Published{"taef2", ".pth", 32, 31.46, 33.48}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace keyflow
