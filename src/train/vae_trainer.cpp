#include "train/vae_trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/stack.h>

#include <chrono>
#include <random>

#include "core/error.h"
#include "core/interrupt.h"
#include "models/wan/vae.h"
#include "train/adamw.h"
#include "train/dataset.h"
#include "train/log.h"
#include "train/state.h"
#include "train/vae_folder.h"
#include "weights/plan.h"

namespace keyflow::train {
namespace {

/// Fresh temporal kernels see the current frame only, and temporal resampling keeps or repeats frames: so a network
/// trained on single frames starts its life on clips as a frame-by-frame one.
void repeat_frames(const NamedTensors& parameters) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters) {
    if (parameter.dim() != 5 || parameter.size(2) == 1) continue;
    const bool in_time = name.find("time_conv") != std::string::npos;
    parameter.narrow(2, 0, in_time ? 3 : 2).zero_();
    if (!in_time) continue;
    const int64_t in = parameter.size(1);
    for (int64_t half = 0; half < parameter.size(0) / in; ++half) {
      parameter.narrow(0, half * in, in).select(2, 2).copy_(at::eye(in).view({in, in, 1, 1}));
    }
  }
  for (const auto& [name, parameter] : parameters) {
    if (name.find("time_conv.bias") != std::string::npos) parameter.zero_();
  }
}

/// Random crops of random training clips and pictures, flipped at random.
at::Tensor sample_crops(const Dataset& data, const VaeTraining& options, std::mt19937_64& random) {
  const auto below = [&](int64_t bound) { return static_cast<int64_t>(random() % static_cast<uint64_t>(bound)); };
  std::vector<at::Tensor> crops;
  for (int64_t i = 0; i < options.batch; ++i) {
    at::Tensor clip;
    if (options.frames == 1 && below(2) == 0) {
      clip = data.pictures[below(data.pictures.size(0))].unsqueeze(0);  // [1, 3, H, W]
    } else {
      clip = data.clips[data.training[static_cast<size_t>(below(static_cast<int64_t>(data.training.size())))]];
      // Mostly neighbouring frames, sometimes every second one: faster motion than the data has.
      const int64_t stride = options.frames > 1 && 2 * options.frames <= clip.size(0) && below(3) == 0 ? 2 : 1;
      const int64_t span = (options.frames - 1) * stride + 1;
      clip = clip.narrow(0, below(clip.size(0) - span + 1), span).slice(0, 0, span, stride);  // [T, 3, H, W]
    }
    const int64_t height = std::min(options.crop, clip.size(2)), width = std::min(options.crop, clip.size(3));
    clip = clip.narrow(2, below(clip.size(2) - height + 1), height).narrow(3, below(clip.size(3) - width + 1), width);
    if (below(2) == 0) clip = clip.flip({3});
    if (below(2) == 0) clip = clip.flip({0});
    crops.push_back(clip);
  }
  return to_float(at::stack(crops)).transpose(1, 2);  // [B, 3, T, H, W]
}

at::Tensor difference_loss(const at::Tensor& a, const at::Tensor& b, int64_t dim) {
  const int64_t n = a.size(dim) - 1;
  const auto step = [&](const at::Tensor& x) { return x.narrow(dim, 1, n) - x.narrow(dim, 0, n); };
  return (step(a) - step(b)).abs().mean();
}

/// The mean and standard deviation of each latent channel over a sample of training clips, so that latents handed to a
/// denoiser have unit variance.
wan::VaeConfig with_statistics(const std::filesystem::path& folder, const Dataset& data, wan::VaeConfig config,
                               const Compute& compute) {
  const at::NoGradGuard no_grad;
  const wan::Vae vae = open_vae(folder, compute);
  std::vector<at::Tensor> means;
  const size_t count = std::min<size_t>(64, data.training.size());
  for (size_t i = 0; i < count; ++i) {
    const int64_t clip = data.training[i * data.training.size() / count];
    const at::Tensor video = to_float(data.clips[clip]).transpose(0, 1).unsqueeze(0).to(compute.device);
    means.push_back(vae.encode_moments(video).first.transpose(0, 1).flatten(1));  // [Z, L]
  }
  const at::Tensor all = at::cat(means, 1).to(at::kCPU, at::kDouble);
  const at::Tensor mean = all.mean(1), deviation = all.std(1);
  for (int64_t c = 0; c < config.z_dim; ++c) {
    config.latents_mean[static_cast<size_t>(c)] = mean[c].item<double>();
    config.latents_std[static_cast<size_t>(c)] = deviation[c].item<double>();
  }
  return config;
}

}  // namespace

void train_vae(const VaeTraining& options) {
  const Dataset data = open_dataset(options.data);
  require(options.frames % options.model.temporal_stride() == 1 % options.model.temporal_stride() &&
              options.frames <= data.frames(),
          ErrorKind::usage, "--frames: expected 4n+1 up to ", data.frames(), ", found ", options.frames);
  std::filesystem::create_directories(options.folder);
  weights::InitSource init(options.seed, options.compute.device);
  const wan::Vae vae(weights::Scope(init, options.compute), options.model);
  if (options.from.empty()) {
    repeat_frames(init.named());
  } else {
    load_vae_weights(options.from, init.named(), options.model);
  }
  AdamW optimiser(init.named(), {});
  int64_t step = load_state(options.folder / "state.safetensors", init.named(), optimiser, options.frames);
  Log log(options.folder / "log.jsonl");
  const auto start = std::chrono::steady_clock::now();
  double sum = 0;
  const auto save = [&] {
    save_state(options.folder / "state.safetensors", init.named(), optimiser, options.frames, step);
    save_vae(options.folder / "vae", optimiser.ema(), options.model);
  };
  for (; step < options.steps && pending_signal() == 0; ++step) {
    // Everything random of a step follows from its number, so that a resumed run goes on as the first would have.
    std::mt19937_64 random(options.seed * 1000003 + static_cast<uint64_t>(step) * 17 +
                           static_cast<uint64_t>(options.frames));
    at::Generator noise = at::make_generator<at::CPUGeneratorImpl>(random());
    const at::Tensor video = sample_crops(data, options, random).to(options.compute.device);
    const auto [mean, logvar_raw] = vae.encode_moments(video);
    const at::Tensor logvar = logvar_raw.clamp(-20, 10);
    const at::Tensor kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean() * options.model.z_dim;
    const at::Tensor latents = mean + (0.5 * logvar).exp() * at::randn_like(mean, noise);
    const at::Tensor output = vae.decode_moments(latents);
    const at::Tensor error = output - video;
    at::Tensor edges = difference_loss(output, video, 3) + difference_loss(output, video, 4);
    if (options.frames > 1) edges = edges + difference_loss(output, video, 2);
    const at::Tensor loss = error.abs().mean() + options.square_weight * error.square().mean() +
                            options.gradient_weight * edges + options.kl_weight * kl;
    loss.backward();
    const double rate = learning_rate(options.peak_rate, step, options.warm_up, options.cool_down, options.steps);
    const double norm = optimiser.step(rate);
    sum += error.detach().square().mean().item<double>();
    if ((step + 1) % options.log_every == 0) {
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      log.write({{"step", static_cast<double>(step + 1)},
                 {"frames", static_cast<double>(options.frames)},
                 {"rate", rate},
                 {"loss", loss.item<double>()},
                 {"kl", kl.item<double>()},
                 {"gradient_norm", norm},
                 {"psnr", 10 * std::log10(4 / (sum / static_cast<double>(options.log_every)))},
                 {"seconds", seconds}});
      sum = 0;
    }
    if ((step + 1) % options.save_every == 0) save();
  }
  save();
  throw_if_interrupted();
  save_vae(options.folder / "vae", optimiser.ema(),
           with_statistics(options.folder / "vae", data, options.model, options.compute));
}

VaeQuality vae_quality(const wan::Vae& vae, const Dataset& data, int64_t clips) {
  const at::NoGradGuard no_grad;
  VaeQuality quality;
  quality.clips = std::min<int64_t>(clips, static_cast<int64_t>(data.validation.size()));
  double change = 0, size = 0;
  for (int64_t i = 0; i < quality.clips; ++i) {
    const at::Tensor video = to_float(data.clips[data.validation[static_cast<size_t>(i)]]).transpose(0, 1).unsqueeze(0);
    const at::Tensor error = vae.decode(vae.encode(video)) - video;  // [1, 3, T, H, W]
    quality.psnr += 10 * std::log10(4 / error.square().mean().item<double>()) / static_cast<double>(quality.clips);
    const int64_t n = error.size(2) - 1;
    change += (error.narrow(2, 1, n).abs() - error.narrow(2, 0, n).abs()).mean({1, 3, 4}).abs().mean().item<double>();
    size += error.abs().mean().item<double>();
  }
  quality.flicker = change / size;
  return quality;
}

VaeQuality vae_quality(const std::filesystem::path& vae_folder, const std::filesystem::path& data_file, int64_t clips,
                       const Compute& compute) {
  const Dataset data = open_dataset(data_file);
  require(!data.validation.empty(), ErrorKind::usage, printable(data_file.string(), 400), ": no validation clips");
  return vae_quality(open_vae(vae_folder, compute), data, clips);
}

}  // namespace keyflow::train
