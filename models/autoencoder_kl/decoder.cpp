#include "models/autoencoder_kl/decoder.h"

namespace keyflow::autoencoder_kl {

using weights::Scope;

Decoder::Decoder(const Scope& w, const AutoencoderConfig& config)
    : conv_in(w / "conv_in", config.latent_channels, config.block_out_channels.back(), {.kernel = 3, .padding = 1}),
      mid_block(w / "mid_block", config.block_out_channels.back(), config.norm_num_groups,
                config.mid_block_add_attention),
      conv_norm_out(w / "conv_norm_out", config.block_out_channels.front(), config.norm_num_groups, kNormEps),
      conv_out(w / "conv_out", config.block_out_channels.front(), config.out_channels, {.kernel = 3, .padding = 1}) {
  const size_t levels = config.block_out_channels.size();
  int64_t channels = config.block_out_channels.back();
  for (size_t level = 0; level < levels; ++level) {
    const Scope block = w / "up_blocks" / level;
    const int64_t out = config.block_out_channels[levels - 1 - level];
    Level& made = up_blocks.emplace_back();
    for (int64_t i = 0; i <= config.layers_per_block; ++i) {
      made.resnets.emplace_back(block / "resnets" / i, channels, out, config.norm_num_groups);
      channels = out;
    }
    if (level + 1 < levels) made.upsample.emplace(block / "upsamplers" / 0, out);
  }
}

at::Tensor Decoder::foot(const at::Tensor& latents) const {
  return mid_block(conv_in(latents.contiguous(at::MemoryFormat::ChannelsLast)));
}

at::Tensor Decoder::operator()(const at::Tensor& latents) const {
  at::Tensor x = foot(latents);  // [B, C, h, w]
  for (const auto& level : up_blocks) {
    for (const auto& resnet : level.resnets) x = resnet(x);
    if (level.upsample) x = (*level.upsample)(x);
  }
  return conv_out(conv_norm_out(x, ops::AfterNorm::silu));
}

at::Tensor Decoder::operator()(const at::Tensor& latents, BandSize band) const {
  FeatureMap x(foot(latents));
  for (size_t level = 0; level < up_blocks.size(); ++level) {
    for (const auto& resnet : up_blocks[level].resnets) x = store_resnet(x, resnet, band);
    if (const auto& upsample = up_blocks[level].upsample) {
      x = computed(x, *upsample);
      // The last and largest one is cheaper to make three times than to keep.
      if (level + 2 < up_blocks.size()) x = store(x, band);
    }
  }
  const ops::ChannelScale scale = conv_norm_out.scale(x.moments(band));
  const FeatureMap pixels = computed(
      x, 1, [&](const at::Tensor& rows) { return conv_out(ops::scale_channels(rows, scale, ops::AfterNorm::silu)); });
  return store(pixels, band).whole();
}

}  // namespace keyflow::autoencoder_kl
