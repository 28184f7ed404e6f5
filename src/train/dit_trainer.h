#pragma once
#include <filesystem>
#include <functional>

#include "core/compute.h"
#include "train/adamw.h"
#include "train/small_model.h"

namespace keyflow::train {

/// Writes a picture, [3, H, W] uint8, under this name and the ending of its format.
using ShowPicture = std::function<void(const std::filesystem::path& name, const at::Tensor& rgb)>;

struct DitTraining {
  std::filesystem::path data;     ///< a file of `keyflow train prepare`
  std::filesystem::path latents;  ///< a file of `keyflow train latents`
  std::filesystem::path folder;   ///< log, state and the finished networks go here
  SmallModelConfig model;
  int64_t clip_batch = 8;       ///< clips of a clip step
  int64_t picture_batch = 32;   ///< pictures of a picture step
  double picture_share = 0.34;  ///< of the steps
  int64_t steps = 2000;
  double peak_rate = 5e-4;
  int64_t warm_up = 100, cool_down = 500;
  double shift = 2;              ///< of the logit-normal sigmas, as in sampling
  double text_dropout = 0.12;    ///< samples that see the empty prompt, for guidance
  double picture_dropout = 0.1;  ///< samples whose picture tokens are zero though frames are given
  uint64_t seed = 0;
  int64_t log_every = 20, save_every = 200;
  int64_t validate_every = 200;  ///< the loss on clips kept aside, with the averaged weights; 0 for never
  int64_t sample_every = 0;      ///< folder/samples/step-N, see sample_sheet; needs folder/vae; 0 for never
  ShowPicture show;
  Compute compute;
};

/// Flow matching (2210.02747 eq. 23 with straight paths, logit-normal times of 2403.03206 §3.1): the network learns
/// v = noise - latents at x = (1 - sigma) latents + sigma noise. Each clip sample gets a random task: text only, or one
/// of its cached conditions. Goes on from folder/state.safetensors if it exists; stops cleanly on a signal.
void train_dit(const DitTraining& options);

}  // namespace keyflow::train
