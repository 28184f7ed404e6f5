#include "models/sd/unet.h"

#include <ATen/TensorOperators.h>

#include "core/shape.h"

namespace keyflow::sd {

using layers::Conv2d;
using weights::Scope;

namespace {

void add_control(Encoder::Result& encoded, const ControlResiduals& control) {
  require(control.down.size() == encoded.skips.size(), ErrorKind::shape, "control residuals: expected ",
          encoded.skips.size(), " as this U-Net has skip connections, found ", control.down.size(),
          "; hint: is the ControlNet for this model?");
  const auto sum = [](at::Tensor& x, const at::Tensor& residual) {
    const bool whole = residual.dim() == 4 && residual.size(2) == 1 && residual.size(3) == 1;
    require_shape(residual, {x.size(0), x.size(1), whole ? 1 : x.size(2), whole ? 1 : x.size(3)}, "control residual");
    x = x + residual.to(at::kFloat);
  };
  for (size_t i = 0; i < encoded.skips.size(); ++i) sum(encoded.skips[i], control.down[i]);
  sum(encoded.middle, control.middle);
}

}  // namespace

void require_inputs(const UNetConfig& config, const at::Tensor& latents, const at::Tensor& timestep,
                    const at::Tensor& context) {
  const auto [B, C, H, W] = dims<4>(latents, "latents");
  require_shape(latents, {B, config.in_channels, H, W}, "latents");
  require(B > 0 && H > 0 && W > 0, ErrorKind::shape, "latents: expected pixels, found ", shape_text(latents.sizes()));
  require_shape(timestep, {B}, "timestep");
  require_shape(context, {B, -1, config.cross_attention_dim}, "context");
  require(context.size(1) > 0, ErrorKind::shape, "context: expected tokens, found ", shape_text(context.sizes()));
}

UNet::UNet(const Scope& w, const UNetConfig& config)
    : config_((config.validate(), config)),
      conditions_(w, config),
      encoder_(w, config),
      decoder_(w, config),
      conv_norm_out(w / "conv_norm_out", config.block_out_channels.front(), config.norm_num_groups, config.norm_eps),
      conv_out(Conv2d::fp32(w / "conv_out", config.block_out_channels.front(), config.out_channels, {.padding = 1})) {}

at::Tensor UNet::run(const at::Tensor& latents, const at::Tensor& timestep, const at::Tensor& context,
                     const AddedConditions& added, const ControlResiduals* control, const layers::Probe& probe) const {
  require_inputs(config_, latents, timestep, context);
  const Given given{conditions_(timestep, added), context, probe};
  if (probe) {
    probe("latents", latents);
    probe("context", context);
    probe("time_embedding", given.time);
  }
  Encoder::Result encoded = encoder_(latents.to(at::kFloat), given);
  if (control) {
    add_control(encoded, *control);
    if (probe) {
      for (const auto& skip : encoded.skips) probe("control residuals", skip);
      probe("control residuals", encoded.middle);
    }
  }
  const at::Tensor x = decoder_(std::move(encoded.middle), std::move(encoded.skips), given);  // [B, C, H, W]
  const at::Tensor y = conv_out(conv_norm_out(x, ops::AfterNorm::silu)).contiguous();         // [B, out, H, W]
  if (probe) probe("conv_out", y);
  return y;
}

at::Tensor UNet::operator()(const at::Tensor& latents, const at::Tensor& timestep, const at::Tensor& context,
                            const AddedConditions& added, const ControlResiduals* control) const {
  return run(latents, timestep, context, added, control, {});
}

std::string UNet::first_non_finite(const at::Tensor& latents, const at::Tensor& timestep, const at::Tensor& context,
                                   const AddedConditions& added, const ControlResiduals* control) const {
  layers::FirstNonFinite first;
  run(latents, timestep, context, added, control, first.probe());
  return first.module();
}

}  // namespace keyflow::sd
