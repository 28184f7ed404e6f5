#pragma once
#include "core/random.h"
#include "models/sd/control_net.h"
#include "models/sd/unet.h"

namespace keyflow::tests {

inline sd::UNetConfig tiny_unet() {
  sd::UNetConfig config;
  config.block_out_channels = {16, 32};
  config.transformer_layers = {1, 0};
  config.heads = {2, 4};
  config.layers_per_block = 1;
  config.cross_attention_dim = 12;
  config.norm_num_groups = 4;
  return config;
}

/// With the added conditions of SDXL.
inline sd::UNetConfig tiny_sdxl() {
  sd::UNetConfig config = tiny_unet();
  config.use_linear_projection = true;
  config.addition_time_embed_dim = 4;
  config.projection_class_embeddings_input_dim = 10 + 6 * 4;
  return config;
}

inline sd::ControlNetConfig tiny_control() {
  sd::ControlNetConfig config;
  config.encoder = tiny_unet();
  config.conditioning_embedding_out_channels = {4, 6};
  return config;
}

struct SdInputs {
  explicit SdInputs(const sd::UNetConfig& config, int64_t H = 5, int64_t W = 7)
      : latents(randn({2, config.in_channels, H, W}, 1)),
        timestep(randn({2}, 2).abs() * 300),
        context(randn({2, 3, config.cross_attention_dim}, 3)) {
    if (config.addition_time_embed_dim > 0) added = {randn({2, 10}, 4), randn({2, 6}, 5).abs() * 500, {}};
  }
  at::Tensor latents, timestep, context;
  sd::AddedConditions added;
};

}  // namespace keyflow::tests
