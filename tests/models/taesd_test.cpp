#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/random.h"
#include "models/taesd/tiny_load.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

using taesd::Half;
using taesd::TinyConfig;
using weights::Scope;

TinyConfig tiny() {
  TinyConfig config;
  config.width = 8;
  config.blocks = {1, 2};
  config.pooled = true;
  return config;
}

template <class Network>
std::vector<weights::TensorInfo> names_of(const TinyConfig& config) {
  return weights::record([&](const Scope& w) { Network(w, config); }).as_file(weights::same_name);
}

TEST(Taesd, GradientsReachEveryWeight) {
  weights::InitSource init(1);
  const taesd::Encoder encoder(Scope(init, {}), tiny());
  const at::Tensor latents = encoder(randn({2, 3, 8, 12}, 2));
  EXPECT_EQ(shape_text(latents.sizes()), "[2, 4, 4, 6]");
  weights::InitSource other(2);
  const taesd::Decoder decoder(Scope(other, {}), tiny());
  const at::Tensor pixels = decoder(latents);
  EXPECT_EQ(shape_text(pixels.sizes()), "[2, 3, 8, 12]");
  pixels.square().mean().backward();
  for (const auto* source : {&init, &other}) {
    for (const auto& [name, weight] : source->named()) EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
  }
}

TEST(Taesd, TheTensorsShowAllSizes) {
  for (const Half half : {Half::encoder, Half::decoder}) {
    const auto list = half == Half::encoder ? names_of<taesd::Encoder>(tiny()) : names_of<taesd::Decoder>(tiny());
    const auto keys = taesd::tiny_keys(list, half);
    ASSERT_TRUE(keys);
    EXPECT_FALSE(taesd::tiny_keys(list, half == Half::encoder ? Half::decoder : Half::encoder));
    const TinyConfig shown = taesd::tiny_config_from_tensors(list, *keys);
    EXPECT_EQ(shown.blocks, tiny().blocks);
    EXPECT_EQ(shown.width, 8);
    EXPECT_EQ(shown.latent_channels, 4);
    EXPECT_EQ(shown.picture_channels, 3);
    EXPECT_TRUE(shown.pooled);
  }
}

TEST(Taesd, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  weights::InitSource init(1), again(1);
  const taesd::Decoder full(Scope(init, {}), tiny());
  const taesd::Decoder half(Scope(again, {at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kBFloat16}), tiny());
  const at::Tensor latents = randn({1, 4, 6, 5}, 2);
  EXPECT_TRUE(tests::near(half(latents), full(latents), 3e-2));
}

TEST(Taesd, RefusesOtherSizesAndOtherNetworks) {
  const c10::InferenceMode guard;
  weights::InitSource init(1), other(2);
  const taesd::Encoder encoder(Scope(init, {}), tiny());
  EXPECT_THROW(encoder(randn({1, 3, 8, 13}, 2)), Error);
  const taesd::Decoder decoder(Scope(other, {}), tiny());
  EXPECT_THROW(decoder(randn({1, 16, 4, 4}, 2)), Error);
  const auto refused = [](const nlohmann::json& object) {
    try {
      taesd::require_known(object, "config.json");
    } catch (const Error& error) {
      return error.kind() == ErrorKind::config;
    }
    return false;
  };
  EXPECT_TRUE(refused({{"act_fn", "silu"}}));
  EXPECT_TRUE(refused({{"scaling_factor", 0.5}}));
  EXPECT_TRUE(refused({{"latent_chanels", 4}}));
  EXPECT_FALSE(refused({{"scaling_factor", 1}, {"latent_channels", 4}}));
}

}  // namespace
}  // namespace keyflow
