#include "models/sd/unet_blocks.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

namespace keyflow::sd {

using layers::Conv2d;
using weights::Scope;

namespace {

AttentionSizes sizes_of(const UNetConfig& config, size_t level) {
  return {config.block_out_channels[level], config.heads[level], config.cross_attention_dim, config.upcast_attention};
}

void look(const Given& given, const at::Tensor& x, const std::string& block, size_t layer, const char* module) {
  if (given.probe) given.probe(c10::str(block, ".", module, ".", layer), x);
}

/// Layer i of a level: its residual block, then its attention if the level has any.
template <class Level>
at::Tensor run_layer(const Level& level, size_t i, const at::Tensor& x, const Given& given, const std::string& name) {
  at::Tensor y = level.resnets[i](x, given.time);
  look(given, y, name, i, "resnets");
  if (level.attentions.empty()) return y;
  y = level.attentions[i](std::move(y), given.text);
  look(given, y, name, i, "attentions");
  return y;
}

}  // namespace

std::vector<int64_t> skip_channels(const UNetConfig& config) {
  std::vector<int64_t> channels{config.block_out_channels.front()};
  for (size_t i = 0; i < config.levels(); ++i) {
    // The last level is not downsampled.
    const int64_t skips = config.layers_per_block + (i + 1 < config.levels() ? 1 : 0);
    channels.insert(channels.end(), static_cast<size_t>(skips), config.block_out_channels[i]);
  }
  return channels;
}

Encoder::Middle::Middle(const Scope& w, const UNetConfig& config) {
  const int64_t C = config.block_out_channels.back();
  if (config.middle != MiddleBlock::none) first.emplace(w / "resnets" / 0, C, C, config);
  if (config.middle != MiddleBlock::attention) return;
  attention.emplace(w / "attentions" / 0, sizes_of(config, config.levels() - 1), config.mid_transformer_layers, config);
  second.emplace(w / "resnets" / 1, C, C, config);
}

Encoder::Encoder(const Scope& w, const UNetConfig& config)
    : conv_in(Conv2d::fp32(w / "conv_in", config.in_channels, config.block_out_channels.front(), {.padding = 1})),
      middle_(w / "mid_block", config) {
  int64_t in = config.block_out_channels.front();
  for (size_t i = 0; i < config.levels(); ++i) {
    const Scope block = w / "down_blocks" / i;
    const int64_t out = config.block_out_channels[i];
    Level level;
    for (int64_t j = 0; j < config.layers_per_block; ++j) {
      level.resnets.emplace_back(block / "resnets" / j, j == 0 ? in : out, out, config);
      if (config.transformer_layers[i] == 0) continue;
      level.attentions.emplace_back(block / "attentions" / j, sizes_of(config, i), config.transformer_layers[i],
                                    config);
    }
    if (i + 1 < config.levels()) level.downsampler.emplace(block / "downsamplers" / 0, out);
    levels_.push_back(std::move(level));
    in = out;
  }
}

Encoder::Result Encoder::operator()(const at::Tensor& latents, const Given& given, const at::Tensor& added) const {
  at::Tensor x = conv_in(latents.contiguous(at::MemoryFormat::ChannelsLast));  // [B, C, H, W]
  if (added.defined()) x = x + added;
  if (given.probe) given.probe("conv_in", x);
  Result result{{x}, {}};
  for (size_t i = 0; i < levels_.size(); ++i) {
    const std::string name = c10::str("down_blocks.", i);
    for (size_t j = 0; j < levels_[i].resnets.size(); ++j) {
      x = run_layer(levels_[i], j, x, given, name);
      result.skips.push_back(x);
    }
    if (!levels_[i].downsampler) continue;
    x = (*levels_[i].downsampler)(x);
    look(given, x, name, 0, "downsamplers");
    result.skips.push_back(x);
  }
  if (middle_.first) {
    x = (*middle_.first)(x, given.time);
    look(given, x, "mid_block", 0, "resnets");
  }
  if (middle_.attention) {
    x = (*middle_.attention)(std::move(x), given.text);
    look(given, x, "mid_block", 0, "attentions");
    x = (*middle_.second)(x, given.time);
    look(given, x, "mid_block", 1, "resnets");
  }
  result.middle = x;
  return result;
}

Decoder::Decoder(const Scope& w, const UNetConfig& config) {
  std::vector<int64_t> skips = skip_channels(config);
  int64_t in = config.block_out_channels.back();
  for (size_t i = 0; i < config.levels(); ++i) {
    const Scope block = w / "up_blocks" / i;
    const size_t mirrored = config.levels() - 1 - i;
    const int64_t out = config.block_out_channels[mirrored], depth = config.transformer_layers[mirrored];
    Level level;
    for (int64_t j = 0; j < config.layers_per_block + 1; ++j) {
      level.resnets.emplace_back(block / "resnets" / j, in + skips.back(), out, config);
      skips.pop_back();
      in = out;
      if (depth > 0) level.attentions.emplace_back(block / "attentions" / j, sizes_of(config, mirrored), depth, config);
    }
    if (mirrored > 0) level.upsampler.emplace(block / "upsamplers" / 0, out);
    levels_.push_back(std::move(level));
  }
}

at::Tensor Decoder::operator()(at::Tensor x, std::vector<at::Tensor> skips, const Given& given) const {
  for (size_t i = 0; i < levels_.size(); ++i) {
    const std::string name = c10::str("up_blocks.", i);
    for (size_t j = 0; j < levels_[i].resnets.size(); ++j) {
      const at::Tensor joined = at::cat({x, skips.back()}, 1);  // [B, C + C', H, W]
      skips.pop_back();
      x = run_layer(levels_[i], j, joined, given, name);
    }
    if (!levels_[i].upsampler) continue;
    // Where an edge was odd, doubling it would overshoot the skip connection by one.
    x = (*levels_[i].upsampler)(x, skips.back().size(2), skips.back().size(3));
    look(given, x, name, 0, "upsamplers");
  }
  return x;
}

}  // namespace keyflow::sd
