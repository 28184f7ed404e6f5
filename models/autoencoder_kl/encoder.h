#pragma once
#include <vector>

#include "models/autoencoder_kl/bands.h"
#include "models/autoencoder_kl/config.h"

namespace keyflow::autoencoder_kl {

/// Pixels to the moments of their latents. source latent-diffusion ldm/modules/diffusionmodules/model.py@a506df5
/// Encoder
class Encoder {
 public:
  Encoder(const weights::Scope& w, const AutoencoderConfig& config);

  /// [B, in_channels, H, W] -> [B, 2 * latent_channels, H / stride, W / stride]
  at::Tensor operator()(const at::Tensor& pixels) const;
  /// The same in bands; without gradients.
  at::Tensor operator()(const at::Tensor& pixels, BandSize band) const;

 private:
  struct Level {
    std::vector<ResnetBlock> resnets;
    std::optional<Downsample> downsample;
  };
  at::Tensor head(const at::Tensor& x) const;

  layers::Conv2d conv_in;
  std::vector<Level> down_blocks;
  MidBlock mid_block;
  layers::GroupNorm conv_norm_out;
  layers::Conv2d conv_out;
};

}  // namespace keyflow::autoencoder_kl
