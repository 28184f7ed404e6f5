#include "train/dit_trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/sigmoid.h>

#include <chrono>
#include <random>

#include "core/error.h"
#include "core/interrupt.h"
#include "train/dit_batch.h"
#include "train/log.h"
#include "train/samples.h"
#include "train/state.h"
#include "train/vae_folder.h"

namespace keyflow::train {
namespace {

/// The flow-matching loss of a batch at random times.
at::Tensor flow_loss(const SmallModel& model, const Batch& batch, const DitTraining& options,
                     at::Generator noise_source) {
  const int64_t B = batch.latents.size(0);
  const at::Tensor u = at::sigmoid(at::randn({B, 1, 1, 1, 1}, noise_source));
  const at::Tensor sigma = options.shift * u / (1 + (options.shift - 1) * u);  // [B, 1, 1, 1, 1]
  const at::Tensor noise = at::randn_like(batch.latents, noise_source);
  const at::Tensor noisy = (1 - sigma) * batch.latents + sigma * noise;
  const Batch moved = batch.to(model.device());
  const at::Tensor input = at::cat({noisy, batch.mask, batch.condition}, 1).to(model.device());
  const at::Tensor velocity = model.velocity(input, (sigma.flatten() * 1000).to(model.device()),
                                             model.prepare(moved.ids, moved.pictures, moved.present));
  return (velocity - (noise - batch.latents).to(model.device())).square().mean();
}

/// The loss on clips kept aside, with the same samples, times and noise whenever it is asked for.
double validation_loss(const SmallModel& model, const Dataset& data, const LatentCache& cache,
                       const DitTraining& options) {
  constexpr int kBatches = 4;
  const at::NoGradGuard no_grad;
  std::mt19937_64 random(options.seed + 1);
  double sum = 0;
  for (int i = 0; i < kBatches; ++i) {
    const Batch batch = draw_clips(data, cache, data.validation, options, random);
    sum += flow_loss(model, batch, options, at::make_generator<at::CPUGeneratorImpl>(random())).item<double>();
  }
  return sum / kBatches;
}

/// The averaged weights in the network's place, until the end of its life.
class Averaged {
 public:
  Averaged(const NamedTensors& parameters, const NamedTensors& average) : parameters_(parameters) {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      trained_.push_back(parameters_[i].second.detach().clone());
      parameters_[i].second.copy_(average[i].second);
    }
  }
  ~Averaged() {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].second.copy_(trained_[i]);
  }
  Averaged(const Averaged&) = delete;
  Averaged& operator=(const Averaged&) = delete;

 private:
  NamedTensors parameters_;
  std::vector<at::Tensor> trained_;
};

std::string sheet_name(int64_t step) {
  std::string digits = std::to_string(step);
  digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
  return "step-" + digits;
}

}  // namespace

void train_dit(const DitTraining& options) {
  const Dataset data = open_dataset(options.data);
  const LatentCache cache = open_latent_cache(options.latents);
  require(cache.clips.size(0) == data.clips.size(0) && cache.pictures.size(0) == data.pictures.size(0),
          ErrorKind::weights, printable(options.latents.string(), 400), ": expected latents of ", data.clips.size(0),
          " clips and ", data.pictures.size(0), " pictures, found ", cache.clips.size(0), " and ",
          cache.pictures.size(0));
  std::filesystem::create_directories(options.folder);
  std::optional<wan::Vae> vae;
  if (options.sample_every > 0) {
    vae.emplace(open_vae(options.folder / "vae", options.compute));
    std::filesystem::create_directories(options.folder / "samples");
  }
  const SmallModel model(options.model, options.seed, options.compute);
  AdamW optimiser(model.parameters(), {});
  constexpr int64_t kStage = 0;
  int64_t step = load_state(options.folder / "state.safetensors", model.parameters(), optimiser, kStage);
  Log log(options.folder / "log.jsonl");
  const auto start = std::chrono::steady_clock::now();
  double clip_loss = 0, picture_loss = 0;
  int64_t clip_steps = 0, picture_steps = 0;
  const auto save = [&] {
    save_state(options.folder / "state.safetensors", model.parameters(), optimiser, kStage, step);
    save_small_model(options.folder, optimiser.ema(), options.model);
  };
  for (; step < options.steps && pending_signal() == 0; ++step) {
    // Everything random of a step follows from its number, so that a resumed run goes on as the first would have.
    std::mt19937_64 random(options.seed * 1000003 + static_cast<uint64_t>(step) * 17 + 5);
    at::Generator noise_source = at::make_generator<at::CPUGeneratorImpl>(random());
    const bool still =
        static_cast<double>(random() >> 11) * 0x1p-53 < options.picture_share && data.pictures.size(0) > 0;
    const Batch batch =
        still ? draw_pictures(data, cache, options, random) : draw_clips(data, cache, data.training, options, random);
    const at::Tensor loss = flow_loss(model, batch, options, noise_source);
    loss.backward();
    const double rate = learning_rate(options.peak_rate, step, options.warm_up, options.cool_down, options.steps);
    const double norm = optimiser.step(rate);
    (still ? picture_loss : clip_loss) += loss.item<double>();
    ++(still ? picture_steps : clip_steps);
    if ((step + 1) % options.log_every == 0) {
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      log.write({{"step", static_cast<double>(step + 1)},
                 {"rate", rate},
                 {"clip_loss", clip_loss / static_cast<double>(std::max<int64_t>(1, clip_steps))},
                 {"picture_loss", picture_loss / static_cast<double>(std::max<int64_t>(1, picture_steps))},
                 {"gradient_norm", norm},
                 {"seconds", seconds}});
      clip_loss = picture_loss = 0;
      clip_steps = picture_steps = 0;
    }
    const bool last = step + 1 == options.steps;
    const auto due = [&](int64_t every) { return every > 0 && ((step + 1) % every == 0 || last); };
    if (due(options.validate_every) && !data.validation.empty()) {
      const Averaged averaged(model.parameters(), optimiser.ema());
      log.write(
          {{"step", static_cast<double>(step + 1)}, {"validation_loss", validation_loss(model, data, cache, options)}});
    }
    if (due(options.sample_every)) {
      const Averaged averaged(model.parameters(), optimiser.ema());
      options.show(options.folder / "samples" / sheet_name(step + 1), sample_sheet(model, *vae, data, cache, {}));
    }
    if ((step + 1) % options.save_every == 0) save();
  }
  save();
  throw_if_interrupted();
}

}  // namespace keyflow::train
