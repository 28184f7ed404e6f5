#include "train/latent_cache.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include "tests/tensor_match.h"
#include "train/dataset.h"
#include "train/vae_folder.h"
#include "weights/plan.h"
#include "weights/tensor_file.h"

namespace keyflow::train {
namespace {

namespace fs = std::filesystem;

TEST(ConditionSets, StartWithTheEndsAndShareNoLatentFrame) {
  for (int64_t clip = 0; clip < 200; ++clip) {
    const auto sets = condition_sets(clip, 17, 3, 5);
    ASSERT_EQ(sets.size(), 6u);
    EXPECT_EQ(sets[0], (std::vector<int64_t>{0}));
    EXPECT_EQ(sets[1], (std::vector<int64_t>{16}));
    EXPECT_EQ(sets[2], (std::vector<int64_t>{0, 16}));
    for (const auto& set : sets) {
      std::set<int64_t> latent;
      for (const int64_t t : set) {
        EXPECT_TRUE(t >= 0 && t < 17);
        EXPECT_TRUE(latent.insert((t + 3) / 4).second);
      }
    }
  }
  EXPECT_EQ(condition_sets(3, 17, 3, 5), condition_sets(3, 17, 3, 5));
  EXPECT_NE(condition_sets(3, 17, 3, 5), condition_sets(4, 17, 3, 5));
}

TEST(LatentCache, HoldsWhatTheVaeMakesOfClipsPicturesAndGreyedClips) {
  const at::NoGradGuard no_grad;
  const fs::path folder = fs::path(::testing::TempDir()) / ("latent_cache_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const at::Tensor clips = at::randint(0, 256, {2, 9, 3, 16, 16}, at::kByte);
  weights::save_safetensors(folder / "data.safetensors", {{"clips", clips},
                                                          {"pictures", clips.select(1, 2).contiguous()},
                                                          {"clip_tokens", at::zeros({2, 1, 2}, at::kLong)},
                                                          {"picture_tokens", at::zeros({2, 1, 2}, at::kLong)},
                                                          {"validation", at::tensor({1L})}});
  wan::VaeConfig config;
  config.base_dim = 4;
  weights::InitSource init(1);
  const wan::Vae made(weights::Scope(init, Compute{}), config);
  save_vae(folder / "vae", init.named(), config);
  int64_t told = 0;
  cache_latents({.data = folder / "data.safetensors",
                 .vae = folder / "vae",
                 .output = folder / "cache.safetensors",
                 .free_sets = 3,
                 .seed = 0,
                 .compute = {}},
                [&](int64_t done, int64_t) { told = done; });
  EXPECT_EQ(told, 2);
  const LatentCache cache = open_latent_cache(folder / "cache.safetensors");
  EXPECT_EQ(cache.conditions.sizes(), (at::IntArrayRef{2, 6, 16, 3, 2, 2}));
  const wan::Vae vae = open_vae(folder / "vae", Compute{});
  const at::Tensor video = to_float(clips[1]).transpose(0, 1).unsqueeze(0);  // [1, 3, T, H, W]
  EXPECT_TRUE(tests::near(cache.clips[1], vae.encode(video)[0], 0.01));
  // Beginnings are shared between sets; each must come out as if it had been encoded alone.
  for (int64_t n = 0; n < 2; ++n) {
    const at::Tensor whole = to_float(clips[n]).transpose(0, 1).unsqueeze(0);
    const auto sets = condition_sets(n, 9, 3, 0);
    for (int64_t v = 0; v < 6; ++v) {
      at::Tensor masked = at::zeros_like(whole), given = at::zeros({9}, at::kByte);
      for (const int64_t t : sets[static_cast<size_t>(v)]) {
        masked.select(2, t).copy_(whole.select(2, t));
        given[t].fill_(1);
      }
      EXPECT_TRUE(tests::near(cache.conditions[n][v], vae.encode(masked)[0], 0.01)) << n << " " << v;
      EXPECT_TRUE(cache.given[n][v].equal(given)) << n << " " << v;
    }
  }
  EXPECT_TRUE(tests::near(cache.pictures[0], vae.encode(to_float(clips[0][2]).view({1, 3, 1, 16, 16}))[0], 0.01));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace keyflow::train
