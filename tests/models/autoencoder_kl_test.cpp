#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/memory.h"
#include "core/random.h"
#include "models/autoencoder_kl/autoencoder.h"
#include "tests/manifest.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using autoencoder_kl::AutoencoderConfig;
using autoencoder_kl::AutoencoderKl;
using autoencoder_kl::LatentSpace;
using autoencoder_kl::Spelling;
using weights::Scope;

AutoencoderConfig tiny() {
  AutoencoderConfig config;
  config.block_out_channels = {8, 12};
  config.layers_per_block = 1;
  config.norm_num_groups = 4;
  return config;
}

TEST(AutoencoderKl, GradientsReachEveryWeight) {
  weights::InitSource init(1);
  const AutoencoderKl model(Scope(init, {}), tiny());
  const auto posterior = model.encode(randn({2, 3, 8, 12}, 2));
  EXPECT_EQ(shape_text(posterior.mean.sizes()), "[2, 4, 4, 6]");
  const at::Tensor decoded = model.decode(posterior.sample(randn({2, 4, 4, 6}, 3)));
  EXPECT_EQ(shape_text(decoded.sizes()), "[2, 3, 8, 12]");
  (decoded.square().mean() + posterior.logvar.square().mean()).backward();
  for (const auto& [name, weight] : init.named()) {
    ASSERT_TRUE(weight.grad().defined()) << name;
    if (name.find("to_k.bias") != std::string::npos) continue;  // the softmax takes away what all scores share
    EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
  }
}

TEST(AutoencoderKl, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  weights::InitSource init(1), again(1);
  const AutoencoderKl full(Scope(init, {}), tiny());
  const AutoencoderKl half(Scope(again, {at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kBFloat16}), tiny());
  const at::Tensor latents = randn({1, 4, 6, 5}, 2), pixels = randn({1, 3, 12, 10}, 3);
  EXPECT_TRUE(tests::near(half.decode(latents), full.decode(latents), 3e-2));
  EXPECT_TRUE(tests::near(half.decode(latents, {2}), full.decode(latents), 3e-2));
  EXPECT_TRUE(tests::near(half.encode(pixels).mean, full.encode(pixels).mean, 3e-2));
}

/// Bytes that a pass takes beyond what lay there before.
template <class Pass>
double taken(const Pass& pass) {
  trim_memory();
  reset_peak_resident();
  const uint64_t before = resident_bytes();
  pass();
  return static_cast<double>(peak_resident_bytes() - before);
}

TEST(AutoencoderKl, TilesTakeLessMemory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer keeps freed memory for a while";
#endif
  const c10::InferenceMode guard;
  AutoencoderConfig config = tiny();
  config.block_out_channels = {16, 16, 16};
  config.mid_block_add_attention = false;
  weights::InitSource init(1);
  const AutoencoderKl model(Scope(init, {}), config);
  const at::Tensor latents = randn({1, 4, 128, 128}, 2), pixels = randn({1, 3, 512, 512}, 3);
  model.decode(latents.narrow(2, 0, 16)), model.encode(pixels.narrow(2, 0, 16));
  at::Tensor whole, tiled;
  const double map = 4.0 * 16 * 512 * 512;  // bytes of the largest feature map
  const double decode_whole = taken([&] { whole = model.decode(latents); }) / map,
               decode_tiled = taken([&] { tiled = model.decode(latents, {64}); }) / map;
  EXPECT_TRUE(tests::near(tiled, whole, 1e-5));
  const double encode_whole = taken([&] { whole = model.encode(pixels).mean; }) / map,
               encode_tiled = taken([&] { tiled = model.encode(pixels, {64}).mean; }) / map;
  EXPECT_TRUE(tests::near(tiled, whole, 1e-5));
  RecordProperty(
      "maps", c10::str("decode ", decode_whole, " -> ", decode_tiled, ", encode ", encode_whole, " -> ", encode_tiled));
  EXPECT_GT(decode_whole, 2.5);
  EXPECT_GT(encode_whole, 2.5);
  // The map that is kept, a fifth of it in pixels or latents, what the level before left, and the bands.
  EXPECT_LT(decode_tiled, 1.9);
  EXPECT_LT(encode_tiled, 1.9);
}

std::string message(ErrorKind kind, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "nothing thrown";
}

TEST(AutoencoderKl, RefusesOtherSizes) {
  const c10::InferenceMode guard;
  weights::InitSource init(1);
  const AutoencoderKl model(Scope(init, {}), tiny());
  EXPECT_EQ(message(ErrorKind::shape,
                    [&] {
                      model.encode(randn({1, 3, 8, 13}, 2));
                    }),
            "shape: pixels: expected height and width in multiples of 2, found 8 and 13");
  message(ErrorKind::shape, [&] { model.encode(randn({1, 4, 8, 12}, 2)); });
  message(ErrorKind::shape, [&] { model.decode(randn({1, 16, 4, 4}, 2)); });
  message(ErrorKind::usage, [&] { model.decode(randn({1, 4, 4, 4}, 2), {-1}); });
}

TEST(AutoencoderKlConfig, NamesAPartnerOfAnotherModel) {
  EXPECT_EQ(message(ErrorKind::weights, [] { in_latent_space(AutoencoderConfig(), LatentSpace::flux); }),
            "weights: autoencoder: expected 16 latent channels as FLUX.1 has them, found 4; hint: this autoencoder "
            "belongs to another model");
  EXPECT_EQ(in_latent_space(AutoencoderConfig(), LatentSpace::sdxl).scaling_factor, 0.13025);
}

TEST(AutoencoderKlConfig, RefusesWhatItDoesNotKnow) {
  const auto refused = [](const nlohmann::json& object) {
    try {
      autoencoder_kl::autoencoder_config_from_json(object, "config.json");
    } catch (const Error& error) {
      return error.kind() == ErrorKind::config;
    }
    return false;
  };
  EXPECT_TRUE(refused({{"latent_chanels", 4}}));
  EXPECT_TRUE(refused({{"act_fn", "relu"}}));
  EXPECT_TRUE(refused({{"_class_name", "AutoencoderTiny"}}));
  EXPECT_TRUE(refused({{"down_block_types", {"DownEncoderBlock2D", "AttnDownEncoderBlock2D", "x", "x"}}}));
  EXPECT_TRUE(refused({{"norm_num_groups", 7}}));
  EXPECT_TRUE(refused({{"scaling_factor", 0}}));
  EXPECT_TRUE(refused({{"use_quant_conv", 1}}));
  EXPECT_TRUE(refused({{"latents_mean", {0.5}}}));
  EXPECT_FALSE(refused({{"sample_size", 512}, {"shift_factor", nullptr}, {"latents_std", nullptr}}));
}

TEST(AutoencoderKlConfig, ReadsThePublishersFiles) {
  const fs::path folder = fs::path(KEYFLOW_SHARED_DATA) / "configs";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs the shared data folder";
  for (const auto& [theirs, ours, space] :
       {std::tuple("sd15", "sd", LatentSpace::sd), std::tuple("sd21", "sd", LatentSpace::sd),
        std::tuple("sdxl", "sdxl", LatentSpace::sdxl), std::tuple("sd3-medium", "sd3", LatentSpace::sd3),
        std::tuple("flux1-dev", "flux", LatentSpace::flux), std::tuple("flux1-schnell", "flux", LatentSpace::flux)}) {
    const fs::path published = folder / theirs / "vae/config.json",
                   own = fs::path(KEYFLOW_SOURCE_DIR) / "configs/autoencoder_kl" / (std::string(ours) + ".json");
    const auto config = autoencoder_kl::autoencoder_config_from_json(read_json(published), published.string());
    const auto expected = to_json(autoencoder_kl::autoencoder_config_from_json(read_json(own), own.string()));
    EXPECT_EQ(to_json(config), expected) << theirs;
    EXPECT_EQ(to_json(in_latent_space(config, space)), expected) << theirs;
  }
}

struct Published {
  const char *manifest, *config;
  Spelling spelling;
  const char* prefix;
};

class AutoencoderKlManifest : public ::testing::TestWithParam<Published> {};

TEST_P(AutoencoderKlManifest, IsWhatTheNetworkAsksFor) {
  const Published& published = GetParam();
  const auto list = tests::read_manifest(published.manifest);
  if (list.empty()) GTEST_SKIP() << "needs the shared data folder";
  const fs::path json =
      fs::path(KEYFLOW_SOURCE_DIR) / "configs/autoencoder_kl" / (std::string(published.config) + ".json");
  const AutoencoderConfig config = autoencoder_kl::autoencoder_config_from_json(read_json(json), json.string());
  const auto keys = autoencoder_kl::autoencoder_keys(list);
  EXPECT_EQ(keys.spelling, published.spelling);
  EXPECT_EQ(keys.prefix, published.prefix);
  AutoencoderConfig shown = autoencoder_kl::autoencoder_config_from_tensors(list);
  shown.scaling_factor = config.scaling_factor, shown.shift_factor = config.shift_factor;
  EXPECT_EQ(to_json(shown), to_json(config));
  const auto plan = weights::record([&](const Scope& w) { AutoencoderKl(w, config); });
  const auto report = plan.compare(list, keys.rename(), keys.ignore());
  EXPECT_TRUE(report.matches()) << report.missing.size() << " missing, " << report.unexpected.size() << " unexpected, "
                                << report.shape.size() << " of another shape";
  const auto own = std::count_if(list.begin(), list.end(),
                                 [&](const auto& info) { return info.name.starts_with(published.prefix); });
  EXPECT_EQ(static_cast<int64_t>(plan.entries().size()), own);
}

constexpr const char* kFirstStage = "first_stage_model.";
INSTANTIATE_TEST_SUITE_P(Files, AutoencoderKlManifest,
                         ::testing::Values(Published{"sd15-vae-diffusers", "sd", Spelling::old_diffusers, ""},
                                           Published{"sdxl-vae-diffusers", "sdxl", Spelling::diffusers, ""},
                                           Published{"flux-vae-diffusers", "flux", Spelling::diffusers, ""},
                                           Published{"flux-vae-diffusers", "sd3", Spelling::diffusers, ""},
                                           Published{"flux-ae-bfl", "flux", Spelling::ldm, ""},
                                           Published{"sd15-single-file", "sd", Spelling::ldm, kFirstStage},
                                           Published{"sdxl-single-file", "sdxl", Spelling::ldm, kFirstStage},
                                           Published{"sd3-medium-incl-clips", "sd3", Spelling::ldm, kFirstStage},
                                           Published{"sd35-medium-single-file", "sd3", Spelling::ldm, kFirstStage},
                                           Published{"sd35-large-single-file", "sd3", Spelling::ldm, kFirstStage}),
                         [](const auto& info) {
                           std::string name = std::string(info.param.manifest) + "_" + info.param.config;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace keyflow
