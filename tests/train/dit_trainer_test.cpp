#include "train/dit_trainer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "core/random.h"
#include "models/clip/vision_load.h"
#include "models/wan/transformer_load.h"
#include "tests/tensor_match.h"
#include "train/dit_batch.h"
#include "train/vae_folder.h"
#include "weights/tensor_file.h"

namespace keyflow::train {
namespace {

namespace fs = std::filesystem;

/// Four clips of five 32x32 frames, three pictures, and made-up latents for them.
struct DitTrainer : ::testing::Test {
  fs::path folder = fs::path(::testing::TempDir()) / ("dit_trainer_" + std::to_string(::getpid()));
  DitTraining options;

  DitTrainer() {
    fs::create_directories(folder);
    at::Tensor tokens = at::zeros({4, 2, 6}, at::kLong);
    for (int64_t n = 0; n < 4; ++n) tokens[n].copy_(at::tensor({5 + n, 7L, 1L, 0L, 0L, 0L}, at::kLong));
    weights::save_safetensors(folder / "data.safetensors",
                              {{"clips", at::full({4, 5, 3, 32, 32}, 90, at::kByte)},
                               {"pictures", at::full({3, 3, 32, 32}, 60, at::kByte)},
                               {"clip_tokens", tokens},
                               {"picture_tokens", tokens.narrow(0, 0, 3).contiguous()},
                               {"validation", at::tensor({1L})}},
                              {{"vocabulary", "12"}});
    // First, last, both.
    at::Tensor given = at::tensor({1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1}, at::kByte);
    given = given.view({1, 3, 5}).expand({4, 3, 5}).contiguous();
    weights::save_safetensors(folder / "latents.safetensors",
                              {{"clips", randn({4, 16, 2, 4, 4}, 1).to(at::kBFloat16)},
                               {"pictures", randn({3, 16, 1, 4, 4}, 2).to(at::kBFloat16)},
                               {"conditions", randn({4, 3, 16, 2, 4, 4}, 3).to(at::kBFloat16)},
                               {"given", given}});
    options.data = folder / "data.safetensors";
    options.latents = folder / "latents.safetensors";
    options.folder = folder / "run";
    auto& model = options.model;
    model.text = {.vocab_size = 12, .d_model = 8, .d_kv = 4, .num_heads = 2, .d_ff = 12, .num_layers = 1};
    model.vision.hidden_size = 8;
    model.vision.intermediate_size = 12;
    model.vision.num_hidden_layers = 3;
    model.vision.num_attention_heads = 2;
    model.vision.image_size = 8;
    model.vision.patch_size = 4;
    auto& dit = model.transformer;
    dit.in_dim = 36;
    dit.dim = 24;
    dit.ffn_dim = 32;
    dit.num_heads = 2;
    dit.num_layers = 2;
    dit.freq_dim = 16;
    dit.text_dim = 8;
    dit.text_len = 6;
    dit.image_dim = 8;
    dit.image_pos_len = 10;
    options.clip_batch = 2;
    options.picture_batch = 2;
    options.warm_up = 2;
    options.cool_down = 0;
    options.log_every = 5;
    options.save_every = 1000;
    options.validate_every = 0;
  }
  ~DitTrainer() override { fs::remove_all(folder); }

  /// One weight as the last run left it.
  at::Tensor trained() const {
    return weights::open_tensors(options.folder / "state.safetensors")
        ->read("model.transformer.blocks.0.ffn.0.weight")
        .clone();
  }
};

TEST_F(DitTrainer, BatchesShowWhatTheConditionGives) {
  const Dataset data = open_dataset(options.data);
  const LatentCache cache = open_latent_cache(options.latents);
  options.clip_batch = 64;
  options.picture_dropout = 0;
  std::mt19937_64 random(4);
  const Batch batch = draw_clips(data, cache, data.training, options, random);
  ASSERT_EQ(batch.mask.sizes(), (at::IntArrayRef{64, 4, 2, 4, 4}));
  int with_pictures = 0, with_first = 0, with_last = 0, empty_prompts = 0;
  for (int64_t i = 0; i < 64; ++i) {
    const bool first = batch.present[i][0].item<float>() > 0, last = batch.present[i][1].item<float>() > 0;
    with_pictures += first || last;
    with_first += first;
    with_last += last;
    empty_prompts += batch.ids[i][0].item<int64_t>() == 1;
    // Frame 0 fills all four channels of latent frame 0; frame 4 is the last channel of latent frame 1.
    EXPECT_EQ(batch.mask[i].select(1, 0).sum().item<float>(), first ? 4 * 16 : 0);
    EXPECT_EQ(batch.mask[i][3][1].sum().item<float>(), last ? 16 : 0);
    EXPECT_EQ(batch.mask[i].narrow(0, 0, 3).select(1, 1).sum().item<float>(), 0);
    EXPECT_EQ(batch.condition[i].abs().max().item<float>() > 0, first || last);
  }
  EXPECT_GT(with_pictures, 40);
  EXPECT_LT(with_pictures, 64);
  EXPECT_GT(with_first, 10);
  EXPECT_GT(with_last, 10);
  EXPECT_GT(empty_prompts, 0);
}

TEST_F(DitTrainer, LearnsAndWritesAFolderThatLoads) {
  options.steps = 60;
  train_dit(options);
  std::ifstream log(options.folder / "log.jsonl");
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(log, line);) lines.push_back(parse_json(line, "log"));
  ASSERT_EQ(lines.size(), 12u);
  EXPECT_LT(lines.back()["clip_loss"].get<double>(), lines.front()["clip_loss"].get<double>());
  const auto file = weights::open_tensors(options.folder / "transformer");
  const auto config = wan::transformer_config(*file, options.folder / "transformer" / "config.json");
  EXPECT_EQ(config.text_len, 6);
  EXPECT_EQ(config.image_pos_len, 10);
  EXPECT_NO_THROW(wan::load_transformer(file, config, Compute{}));
  const auto vision = weights::open_tensors(options.folder / "image_encoder");
  EXPECT_NO_THROW(clip::load_vision(
      vision, clip::vision_config(*vision, options.folder / "image_encoder" / "config.json"), Compute{}));
  const auto text = weights::open_tensors(options.folder / "text_encoder");
  EXPECT_NO_THROW(t5::load_encoder(
      text, t5::encoder_config_from_json(read_json(options.folder / "text_encoder" / "config.json"), "config"),
      Compute{}));
}

/// A small VAE, as `train vae` leaves it.
void write_small_vae(const fs::path& folder) {
  wan::VaeConfig config;
  config.base_dim = 4;
  config.num_res_blocks = 1;
  weights::InitSource init(3);
  const wan::Vae vae(weights::Scope(init, Compute{}), config);
  fs::create_directories(folder);
  save_vae(folder / "vae", init.named(), config);
}

TEST_F(DitTrainer, ShowsSamplesAndValidatesWithoutChangingTheRun) {
  options.steps = 4;
  train_dit(options);
  const at::Tensor plain = trained();
  fs::remove_all(options.folder);
  write_small_vae(options.folder);
  std::map<std::string, at::Tensor> sheets;
  options.show = [&](const fs::path& name, const at::Tensor& rgb) { sheets[name.filename().string()] = rgb; };
  options.validate_every = options.sample_every = 2;
  train_dit(options);
  EXPECT_TRUE(trained().equal(plain));
  ASSERT_EQ(sheets.size(), 2u);
  ASSERT_TRUE(sheets.contains("step-000004"));
  EXPECT_EQ(sheets["step-000004"].scalar_type(), at::kByte);
  EXPECT_FALSE(sheets["step-000002"].equal(sheets["step-000004"]));
  std::ifstream log(options.folder / "log.jsonl");
  int losses = 0;
  for (std::string line; std::getline(log, line);) losses += parse_json(line, "log").contains("validation_loss");
  EXPECT_EQ(losses, 2);
}

TEST_F(DitTrainer, GradientsReachEveryNetwork) {
  const SmallModel model(options.model, 1, Compute{});
  const at::Tensor ids = at::tensor({5L, 1L, 0L, 6L, 7L, 1L}).view({2, 3});
  const at::Tensor velocity = model.velocity(randn({2, 36, 2, 4, 4}, 1), at::tensor({100.F, 900.F}),
                                             model.prepare(ids, randn({2, 2, 3, 16, 16}, 2), at::ones({2, 2})));
  velocity.square().mean().backward();
  for (const auto& [name, tensor] : model.parameters()) EXPECT_TRUE(tensor.grad().defined()) << name;
}

TEST_F(DitTrainer, ResumesExactly) {
  options.steps = 6;
  train_dit(options);
  const at::Tensor whole = trained();
  fs::remove_all(options.folder);
  options.steps = 3;
  train_dit(options);
  options.steps = 6;
  train_dit(options);
  EXPECT_TRUE(trained().equal(whole));
}

TEST(SmallModelConfigs, OfTheEmbeddedModelFitEachOtherAndTheRepository) {
  const fs::path folder = KEYFLOW_SOURCE_DIR "/configs/mini";
  const SmallModel model(small_model_config(folder, 2000), 1, Compute{});
  const wan::VaeConfig vae = wan::vae_config_from_json(folder / "vae.json");
  int64_t parameters = 0;
  for (const auto& [name, tensor] : model.parameters()) parameters += tensor.numel();
  const auto plan = weights::record([&](const weights::Scope& w) { wan::Vae(w, vae); });
  for (const auto& [name, shape] : plan.entries()) parameters += c10::multiply_integers(shape);
  EXPECT_GT(parameters, 10'000'000);
  EXPECT_LT(2 * parameters, 39'500'000);  // in bf16, with half a megabyte for headers and vocabulary
}

}  // namespace
}  // namespace keyflow::train
