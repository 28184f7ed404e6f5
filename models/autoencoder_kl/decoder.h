#pragma once
#include <vector>

#include "models/autoencoder_kl/bands.h"
#include "models/autoencoder_kl/config.h"

namespace keyflow::autoencoder_kl {

/// Latents to pixels. source latent-diffusion ldm/modules/diffusionmodules/model.py@a506df5 Decoder
class Decoder {
 public:
  Decoder(const weights::Scope& w, const AutoencoderConfig& config);

  /// [B, latent_channels, h, w] -> [B, out_channels, h * stride, w * stride]
  at::Tensor operator()(const at::Tensor& latents) const;
  /// The same in bands; without gradients.
  at::Tensor operator()(const at::Tensor& latents, BandSize band) const;

 private:
  struct Level {
    std::vector<ResnetBlock> resnets;
    std::optional<Upsample> upsample;
  };
  at::Tensor foot(const at::Tensor& latents) const;

  layers::Conv2d conv_in;
  MidBlock mid_block;
  std::vector<Level> up_blocks;
  layers::GroupNorm conv_norm_out;
  layers::Conv2d conv_out;
};

}  // namespace keyflow::autoencoder_kl
