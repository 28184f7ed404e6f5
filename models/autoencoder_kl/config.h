#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/autoencoder_kl/keys.h"
#include "weights/tensor_info.h"

namespace keyflow::autoencoder_kl {

/// The latent spaces that published denoisers were trained in. The tensors of an autoencoder show its channels only.
enum class LatentSpace { sd, sdxl, sd3, flux };
/// "SD 1.x/2.x", "SDXL", "SD 3.x", "FLUX.1"
std::string_view name_of(LatentSpace space);

/// The convolutional autoencoder of latent diffusion. Defaults are those of Stable Diffusion 1; names are those of
/// diffusers' vae/config.json.
struct AutoencoderConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t latent_channels = 4;
  std::vector<int64_t> block_out_channels{128, 256, 512, 512};  ///< one level each, halved in size from the second on
  int64_t layers_per_block = 2;  ///< residual blocks of a level; the decoder has one more
  int64_t norm_num_groups = 32;
  double scaling_factor = 0.18215;  ///< the denoiser sees (latents - shift_factor) · scaling_factor
  double shift_factor = 0;
  bool use_quant_conv = true;       ///< 1x1 convolution after the encoder
  bool use_post_quant_conv = true;  ///< 1x1 convolution before the decoder
  bool mid_block_add_attention = true;
  bool force_upcast = true;  ///< activations leave float16's range: it is not used even where it is asked for

  /// Pixels along the edge of one latent position.
  int64_t stride() const { return int64_t{1} << (block_out_channels.size() - 1); }
  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// Scaling and shift as published for a latent space, everything else as `config` has it. Throws Error::weights for an
/// autoencoder of another number of latent channels than the space has.
AutoencoderConfig in_latent_space(AutoencoderConfig config, LatentSpace space);

/// Reads configs/autoencoder_kl/*.json or the config.json of diffusers' AutoencoderKL. Fields it does not state come
/// from `base`. Throws Error::config listing all unknown keys and wrong types.
AutoencoderConfig autoencoder_config_from_json(const nlohmann::json& json, const std::string& where,
                                               const AutoencoderConfig& base = {});

/// The configuration that a checkpoint's names and shapes show, in any spelling; the number of groups leaves no trace
/// (32), nor do scaling and shift (see in_latent_space). Not validated, for a config.json may still say otherwise.
/// Throws Error::weights when the tensors are not those of this network.
AutoencoderConfig autoencoder_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

/// The config.json that diffusers reads, and autoencoder_config_from_json too.
nlohmann::json to_json(const AutoencoderConfig& config);

}  // namespace keyflow::autoencoder_kl
