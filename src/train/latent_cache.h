#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <vector>

#include "core/compute.h"

namespace keyflow::train {

/// What the denoiser is trained on, encoded once by a trained VAE:
///   clips              [N, Z, T', h, w] bf16   normalised latents
///   pictures           [M, Z, 1, h, w] bf16
///   conditions         [N, V, Z, T', h, w] bf16   latents of the clip with all but the given frames grey
///   given              [N, V, T] uint8   1 where a condition's frame is given
struct LatentCache {
  at::Tensor clips, pictures, conditions, given;
};

struct LatentCaching {
  std::filesystem::path data;    ///< a file of `keyflow train prepare`
  std::filesystem::path vae;     ///< folder with config.json and weights
  std::filesystem::path output;  ///< safetensors
  int64_t free_sets = 2;         ///< conditions of random frames, beside first, last, first and last
  uint64_t seed = 0;
  Compute compute;
};

/// Which frames each condition of a clip gives: {0}, {T-1}, {0, T-1}, then `free_sets` of one to three random frames,
/// drawn from the clip's own generator.
std::vector<std::vector<int64_t>> condition_sets(int64_t clip, int64_t frames, int64_t free_sets, uint64_t seed);

/// Encodes everything; a partly written cache does not exist. `progress` is told how many of how many clips are done.
void cache_latents(const LatentCaching& options, const std::function<void(int64_t, int64_t)>& progress);

/// Maps the file; throws Error::weights when a tensor is missing or misshapen.
LatentCache open_latent_cache(const std::filesystem::path& path);

}  // namespace keyflow::train
