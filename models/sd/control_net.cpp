#include "models/sd/control_net.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/silu.h>

#include <cmath>

#include "core/shape.h"
#include "models/sd/unet.h"

namespace keyflow::sd {

using layers::Conv2d;
using layers::Linear;
using weights::Scope;

namespace {

/// Residual i of `count`, the middle one last.
double strength_of(const ControlStrength& strength, bool pooled, size_t i, size_t count) {
  if (!strength.guess || pooled) return strength.weight;
  return strength.weight * std::pow(10., static_cast<double>(i) / static_cast<double>(count - 1) - 1);
}

}  // namespace

ControlNet::ControlNet(const Scope& w, const ControlNetConfig& config)
    : config_((config.validate(), config)),
      conditions_(w, config.encoder),
      hint_in(Conv2d::fp32(w / "controlnet_cond_embedding" / "conv_in", config.conditioning_channels,
                           config.conditioning_embedding_out_channels.front(), {.padding = 1})),
      hint_out(Conv2d::fp32(w / "controlnet_cond_embedding" / "conv_out",
                            config.conditioning_embedding_out_channels.back(),
                            config.encoder.block_out_channels.front(), {.padding = 1})),
      encoder_(w, config.encoder),
      middle_(Linear::pointwise(w / "controlnet_mid_block", config.encoder.block_out_channels.back(),
                                config.encoder.block_out_channels.back())) {
  const auto& widths = config.conditioning_embedding_out_channels;
  const Scope blocks = w / "controlnet_cond_embedding" / "blocks";
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    hint_blocks.push_back(Conv2d::fp32(blocks / (2 * i), widths[i], widths[i], {.padding = 1}));
    hint_blocks.push_back(Conv2d::fp32(blocks / (2 * i + 1), widths[i], widths[i + 1], {.stride = 2, .padding = 1}));
  }
  const std::vector<int64_t> channels = skip_channels(config.encoder);
  for (size_t i = 0; i < channels.size(); ++i) {
    down_.push_back(Linear::pointwise(w / "controlnet_down_blocks" / i, channels[i], channels[i]));
  }
}

at::Tensor ControlNet::embed(const at::Tensor& picture) const {
  const auto [B, C, H, W] = dims<4>(picture, "control picture");
  require_shape(picture, {B, config_.conditioning_channels, H, W}, "control picture");
  const int64_t scale = config_.picture_scale();
  require(H > 0 && W > 0 && H % scale == 0 && W % scale == 0, ErrorKind::shape, "control picture: expected edges of ",
          scale, " times the latents', found ", H, " and ", W);
  const at::Tensor pixels = config_.bgr ? at::flip(picture, {1}) : picture;
  at::Tensor x = at::silu(hint_in(pixels.contiguous(at::MemoryFormat::ChannelsLast)));
  for (const auto& block : hint_blocks) x = at::silu(block(x));
  return hint_out(x);  // [B, C, H/scale, W/scale]
}

ControlResiduals ControlNet::operator()(const at::Tensor& latents, const at::Tensor& timestep,
                                        const at::Tensor& context, const AddedConditions& added, const at::Tensor& hint,
                                        const ControlStrength& strength) const {
  require_inputs(config_.encoder, latents, timestep, context);
  const bool one = hint.dim() == 4 && hint.size(0) == 1;
  require_shape(
      hint, {one ? 1 : latents.size(0), config_.encoder.block_out_channels.front(), latents.size(2), latents.size(3)},
      "embedded control picture");
  const Encoder::Result encoded = encoder_(latents.to(at::kFloat), {conditions_(timestep, added), context, {}}, hint);
  const size_t count = down_.size() + 1;
  const auto residual = [&](const Linear& projection, const at::Tensor& x, size_t i) {
    const at::Tensor tokens = projection(to_tokens(x)).to(at::kFloat);  // [B, L, C]
    const at::Tensor y =
        to_picture(tokens, x.size(2), x.size(3)) * strength_of(strength, config_.global_pool_conditions, i, count);
    return config_.global_pool_conditions ? y.mean({2, 3}, /*keepdim=*/true) : y;
  };
  ControlResiduals residuals;
  for (size_t i = 0; i < down_.size(); ++i) residuals.down.push_back(residual(down_[i], encoded.skips[i], i));
  residuals.middle = residual(middle_, encoded.middle, down_.size());
  return residuals;
}

}  // namespace keyflow::sd
