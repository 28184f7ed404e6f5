#include "models/autoencoder_kl/encoder.h"

namespace keyflow::autoencoder_kl {

using weights::Scope;

Encoder::Encoder(const Scope& w, const AutoencoderConfig& config)
    : conv_in(w / "conv_in", config.in_channels, config.block_out_channels.front(), {.kernel = 3, .padding = 1}),
      mid_block(w / "mid_block", config.block_out_channels.back(), config.norm_num_groups,
                config.mid_block_add_attention),
      conv_norm_out(w / "conv_norm_out", config.block_out_channels.back(), config.norm_num_groups, kNormEps),
      conv_out(w / "conv_out", config.block_out_channels.back(), 2 * config.latent_channels,
               {.kernel = 3, .padding = 1}) {
  const size_t levels = config.block_out_channels.size();
  int64_t channels = config.block_out_channels.front();
  for (size_t level = 0; level < levels; ++level) {
    const Scope block = w / "down_blocks" / level;
    const int64_t out = config.block_out_channels[level];
    Level& made = down_blocks.emplace_back();
    for (int64_t i = 0; i < config.layers_per_block; ++i) {
      made.resnets.emplace_back(block / "resnets" / i, channels, out, config.norm_num_groups);
      channels = out;
    }
    if (level + 1 < levels) made.downsample.emplace(block / "downsamplers" / 0, out);
  }
}

at::Tensor Encoder::head(const at::Tensor& x) const {
  return conv_out(conv_norm_out(mid_block(x), ops::AfterNorm::silu));
}

at::Tensor Encoder::operator()(const at::Tensor& pixels) const {
  at::Tensor x = conv_in(pixels.contiguous(at::MemoryFormat::ChannelsLast));  // [B, C, H, W]
  for (const auto& level : down_blocks) {
    for (const auto& resnet : level.resnets) x = resnet(x);
    if (level.downsample) x = (*level.downsample)(x);
  }
  return head(x);
}

at::Tensor Encoder::operator()(const at::Tensor& pixels, BandSize band) const {
  FeatureMap x = computed(FeatureMap(pixels.contiguous(at::MemoryFormat::ChannelsLast)), 1,
                          [this](const at::Tensor& rows) { return conv_in(rows); });
  for (const auto& level : down_blocks) {
    for (const auto& resnet : level.resnets) x = store_resnet(x, resnet, band);
    if (level.downsample) x = store(computed(x, *level.downsample), band);
  }
  return head(x.whole());
}

}  // namespace keyflow::autoencoder_kl
