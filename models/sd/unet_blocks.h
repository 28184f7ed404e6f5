#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "models/layers/probe.h"
#include "models/sd/attention.h"
#include "models/sd/res_block.h"

namespace keyflow::sd {

/// What every block is given besides the picture.
struct Given {
  at::Tensor time;  ///< [B, time_embed_dim] float32, after its SiLU
  at::Tensor text;  ///< [B, M, E]
  layers::Probe probe;
};

/// The way down and the middle, which a ControlNet has a copy of: "conv_in", "down_blocks" and "mid_block".
class Encoder {
 public:
  Encoder(const weights::Scope& w, const UNetConfig& config);

  struct Result {
    std::vector<at::Tensor> skips;  ///< after conv_in and after every layer and downsampling, finest first
    at::Tensor middle;              ///< [B, C, H', W'] float32
  };
  /// latents [B, in_channels, H, W] float32; added: to what conv_in makes of them, [B, C, H, W], or undefined
  Result operator()(const at::Tensor& latents, const Given& given, const at::Tensor& added = {}) const;

 private:
  struct Level {
    std::vector<ResBlock> resnets;
    std::vector<SpatialTransformer> attentions;
    std::optional<Downsample> downsampler;
  };
  struct Middle {
    Middle(const weights::Scope& w, const UNetConfig& config);
    std::optional<ResBlock> first, second;
    std::optional<SpatialTransformer> attention;
  };
  layers::Conv2d conv_in;
  std::vector<Level> levels_;
  Middle middle_;
};

/// The way up, which joins the skip connections: "up_blocks".
class Decoder {
 public:
  Decoder(const weights::Scope& w, const UNetConfig& config);
  /// x from the middle; skips of the encoder, given up; return [B, block_out_channels[0], H, W] float32
  at::Tensor operator()(at::Tensor x, std::vector<at::Tensor> skips, const Given& given) const;

 private:
  struct Level {
    std::vector<ResBlock> resnets;
    std::vector<SpatialTransformer> attentions;
    std::optional<Upsample> upsampler;
  };
  std::vector<Level> levels_;
};

/// Channels of the skip connections, finest first.
std::vector<int64_t> skip_channels(const UNetConfig& config);

}  // namespace keyflow::sd
