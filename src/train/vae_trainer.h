#pragma once
#include <filesystem>

#include "core/compute.h"
#include "models/wan/vae.h"
#include "train/dataset.h"

namespace keyflow::train {

struct VaeTraining {
  std::filesystem::path data;    ///< a file of `keyflow train prepare`
  std::filesystem::path folder;  ///< log, state and the finished vae/ go here
  std::filesystem::path from;    ///< a vae folder that a run without state starts from; "" for fresh weights
  wan::VaeConfig model;
  int64_t frames = 1;  ///< frames of each crop, 4n+1; 1 trains the spatial network alone
  int64_t crop = 64;   ///< pixels, a multiple of 8; the full height is allowed
  int64_t batch = 24;
  int64_t steps = 800;  ///< of this stage
  double peak_rate = 1e-3;
  int64_t warm_up = 50, cool_down = 200;
  double kl_weight = 1e-6;       ///< of the mean KL divergence per latent value, summed over channels
  double square_weight = 4;      ///< of the squared error, beside the absolute error's one
  double gradient_weight = 0.5;  ///< of the L1 difference of spatial and temporal differences
  uint64_t seed = 0;
  int64_t log_every = 20, save_every = 200;
  Compute compute;
};

/// Trains from folder/state.safetensors if it exists (an earlier stage or an interrupted run of this one), else from
/// the weights of `from`, else from a fresh network whose temporal kernels repeat frames. Stops cleanly on a signal,
/// with its state saved.
void train_vae(const VaeTraining& options);

/// How well streamed validation clips are reconstructed.
struct VaeQuality {
  double psnr = 0;     ///< dB over all values of a clip, mean over the clips
  double flicker = 0;  ///< change of a frame's mean error to the next frame's, share of the mean error
  int64_t clips = 0;
};
VaeQuality vae_quality(const wan::Vae& vae, const Dataset& data, int64_t clips);
VaeQuality vae_quality(const std::filesystem::path& vae_folder, const std::filesystem::path& data, int64_t clips,
                       const Compute& compute);

}  // namespace keyflow::train
