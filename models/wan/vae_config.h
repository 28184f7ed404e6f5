#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::wan {

/// The 3-D causal VAE of Wan 2.1: stride 4 in time, 8 in space. Defaults are the published ones; the field names are
/// those of diffusers' vae/config.json (the spelling `temperal` is theirs).
struct VaeConfig {
  int64_t base_dim = 96;
  int64_t z_dim = 16;
  std::vector<int64_t> dim_mult{1, 2, 4, 4};
  int64_t num_res_blocks = 2;
  std::vector<bool> temperal_downsample{false, true, true};
  /// One value per latent channel: latents are stored as (mean - latents_mean) / latents_std.
  std::vector<double> latents_mean{-0.7571, -0.7089, -0.9113, 0.1075,  -0.1745, 0.9653,  -0.1517, 1.5508,
                                   0.4134,  -0.0715, 0.5517,  -0.3632, -0.1922, -0.9497, 0.2503,  -0.2921};
  std::vector<double> latents_std{2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
                                  3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160};

  int64_t spatial_stride() const { return int64_t{1} << (dim_mult.size() - 1); }
  int64_t temporal_stride() const;
  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// Reads diffusers' vae/config.json; a key that is neither a field nor known to be without influence is an error.
VaeConfig vae_config_from_json(const std::filesystem::path& path);

/// The configuration of a checkpoint that carries none (Wan2.1_VAE.pth), from its tensors in either spelling; the
/// latent statistics stay the published ones, so z_dim must be 16.
VaeConfig vae_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

}  // namespace keyflow::wan
