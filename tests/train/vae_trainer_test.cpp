#include "train/vae_trainer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "tests/tensor_match.h"
#include "train/dataset.h"
#include "train/options.h"
#include "train/vae_folder.h"
#include "weights/tensor_file.h"

namespace keyflow::train {
namespace {

namespace fs = std::filesystem;

/// Six clips of five 16x16 frames in which a bright square moves, and two pictures.
struct VaeTrainer : ::testing::Test {
  fs::path folder = fs::path(::testing::TempDir()) / ("vae_trainer_" + std::to_string(::getpid()));
  VaeTraining options;

  VaeTrainer() {
    fs::create_directories(folder);
    at::Tensor clips = at::full({6, 5, 3, 16, 16}, 40, at::kByte);
    for (int64_t n = 0; n < 6; ++n) {
      for (int64_t t = 0; t < 5; ++t) clips[n][t].narrow(1, n, 8).narrow(2, t, 8).fill_(200);
    }
    weights::save_safetensors(folder / "data.safetensors",
                              {{"clips", clips},
                               {"pictures", clips.select(1, 0).narrow(0, 0, 2).contiguous()},
                               {"clip_tokens", at::zeros({6, 1, 2}, at::kLong)},
                               {"picture_tokens", at::zeros({2, 1, 2}, at::kLong)},
                               {"validation", at::tensor({1L, 4L})}},
                              {{"names", "a\nb\nc\nd\ne\nf\ng\nh"}});
    options.data = folder / "data.safetensors";
    options.folder = folder / "run";
    options.model.base_dim = 4;
    options.model.latents_mean.assign(16, 0);
    options.model.latents_std.assign(16, 1);
    options.crop = 16;
    options.batch = 4;
    options.warm_up = 2;
    options.cool_down = 0;
    options.log_every = 1;
    options.save_every = 100;
  }
  ~VaeTrainer() override { fs::remove_all(folder); }

  at::Tensor trained(const char* name) {
    return weights::open_tensors(options.folder / "state.safetensors")->read(name).clone();
  }
};

TEST_F(VaeTrainer, OpensTheDataAndKeepsClipsAside) {
  const Dataset data = open_dataset(options.data);
  EXPECT_EQ(data.training, (std::vector<int64_t>{0, 2, 3, 5}));
  EXPECT_EQ(data.validation, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(data.names.size(), 8u);
}

TEST_F(VaeTrainer, LearnsWritesTheNetworkAndItsStatistics) {
  options.steps = 30;
  train_vae(options);
  std::ifstream log(options.folder / "log.jsonl");
  std::vector<std::string> lines;
  for (std::string line; std::getline(log, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 30u);
  const auto psnr = [](const std::string& line) { return std::stod(line.substr(line.find("\"psnr\":") + 7)); };
  EXPECT_GT(psnr(lines.back()), psnr(lines.front()) + 1);
  const wan::Vae vae = open_vae(options.folder / "vae", Compute{});
  EXPECT_NE(vae.config().latents_std, options.model.latents_std);
  EXPECT_GT(vae_quality(options.folder / "vae", options.data, 2, Compute{}).psnr, 0);
}

TEST_F(VaeTrainer, ResumesExactly) {
  options.steps = 4;
  train_vae(options);
  const at::Tensor whole = trained("model.encoder.conv1.weight");
  fs::remove_all(options.folder);
  // The rates of the first steps do not depend on the length of a stage that has no cool-down.
  options.steps = 2;
  train_vae(options);
  options.steps = 4;
  train_vae(options);
  EXPECT_TRUE(trained("model.encoder.conv1.weight").equal(whole));
}

TEST_F(VaeTrainer, StartsOnClipsAsTheFrameByFrameNetworkItWas) {
  options.steps = 3;
  train_vae(options);
  const at::NoGradGuard no_grad;
  const wan::Vae vae = open_vae(options.folder / "vae", Compute{});
  const at::Tensor frame = to_float(open_dataset(options.data).pictures[0]).view({1, 3, 1, 16, 16});
  const at::Tensor still = at::cat({frame, frame, frame, frame, frame}, 2);
  const at::Tensor moving = vae.decode(vae.encode(still)), alone = vae.decode(vae.encode(frame));
  EXPECT_TRUE(tests::near(moving, alone.expand_as(moving), 1e-4));
}

TEST_F(VaeTrainer, StartsFromTheWeightsOfAFolder) {
  options.steps = 3;
  train_vae(options);
  const at::Tensor given = weights::open_tensors(options.folder / "vae" / "diffusion_pytorch_model.safetensors")
                               ->read("encoder.conv_in.weight");
  VaeTraining second = options;
  second.from = options.folder / "vae";
  second.folder = folder / "second";
  second.peak_rate = 1e-9;
  second.steps = 1;
  train_vae(second);
  options.folder = second.folder;
  EXPECT_TRUE(tests::near(trained("model.encoder.conv1.weight"), given, 1e-5));
}

TEST_F(VaeTrainer, RefusesFramesThatAreNot4nPlus1) {
  options.frames = 4;
  EXPECT_THROW(train_vae(options), Error);
}

const Surroundings ignore{[](const std::string&) {}, {}};

TEST(TrainOptions, NameTheOptionAndTheValue) {
  const auto message = [](const std::string& stage, const Options& options) -> std::string {
    try {
      run_stage(stage, options, ignore);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::usage ? error.what() : "another kind";
    }
    return "nothing thrown";
  };
  const Options base{{"data", "d"}, {"out", "o"}, {"dtype", "fp32"}};
  const auto with = [&](const std::string& name, const std::string& value) {
    Options options = base;
    options[name] = value;
    return message("vae", options);
  };
  EXPECT_NE(message("dit2", {}).find("unknown stage dit2"), std::string::npos);
  EXPECT_NE(message("vae", {}).find("--data"), std::string::npos);
  EXPECT_NE(with("stepz", "5").find("did you mean --steps?"), std::string::npos);
  EXPECT_NE(with("steps", "1e3").find("--steps: expected a whole number from 1 to 1e+09, found 1e3"),
            std::string::npos);
  EXPECT_NE(with("rate", "nan").find("--rate"), std::string::npos);
}

}  // namespace
}  // namespace keyflow::train
