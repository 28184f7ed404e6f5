#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "models/sd/conditions.h"
#include "models/sd/config.h"
#include "models/sd/control_residuals.h"
#include "models/sd/unet_blocks.h"
#include "weights/scope.h"

namespace keyflow::sd {

/// The denoiser of Stable Diffusion 1, 2 and XL. Run it under c10::InferenceMode (or NoGradGuard) unless gradients are
/// wanted: the fused and in-place paths depend on it.
///
/// source CompVis/stable-diffusion ldm/modules/diffusionmodules/openaimodel.py@21f890f UNetModel; diffusers
///        src/diffusers/models/unets/unet_2d_condition.py@58eb52c UNet2DConditionModel
class UNet {
 public:
  /// Asks `w` for the weights by diffusers' names; keys.h maps the original ones.
  UNet(const weights::Scope& w, const UNetConfig& config);

  /// What the network was trained to predict (epsilon or v) for noisy latents.
  ///
  /// latents   [B, in_channels, H, W], any float; any latent size
  /// timestep  [B], 0 to 1000
  /// context   [B, M, cross_attention_dim], the encoded text, any float
  /// added     what this network's configuration asks for, and no more
  /// control   of ControlNets for the same latents; nullptr for none
  /// return    [B, out_channels, H, W] float32
  /// throws    Error::shape
  at::Tensor operator()(const at::Tensor& latents, const at::Tensor& timestep, const at::Tensor& context,
                        const AddedConditions& added = {}, const ControlResiduals* control = nullptr) const;

  /// The first module whose output holds NaN or infinity for these inputs ("down_blocks.1.attentions.0", "conv_out",
  /// "latents"), or "" if all is finite: runs the forward pass again and looks after each part.
  std::string first_non_finite(const at::Tensor& latents, const at::Tensor& timestep, const at::Tensor& context,
                               const AddedConditions& added = {}, const ControlResiduals* control = nullptr) const;

  const UNetConfig& config() const { return config_; }

 private:
  at::Tensor run(const at::Tensor& latents, const at::Tensor& timestep, const at::Tensor& context,
                 const AddedConditions& added, const ControlResiduals* control, const layers::Probe& probe) const;

  UNetConfig config_;
  Conditions conditions_;
  Encoder encoder_;
  Decoder decoder_;
  layers::GroupNorm conv_norm_out;
  layers::Conv2d conv_out;
};

/// Throws Error::shape unless these fit each other and `config`.
void require_inputs(const UNetConfig& config, const at::Tensor& latents, const at::Tensor& timestep,
                    const at::Tensor& context);

}  // namespace keyflow::sd
