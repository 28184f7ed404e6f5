#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "models/sd/conditions.h"
#include "models/sd/control_config.h"
#include "models/sd/control_residuals.h"
#include "models/sd/unet_blocks.h"
#include "weights/scope.h"

namespace keyflow::sd {

/// How strongly a ControlNet acts.
struct ControlStrength {
  double weight = 1;
  /// Weak at the finest skip connection (a tenth), full in the middle: lets the control speak where the text is empty.
  bool guess = false;
};

/// A copy of a U-Net's way down that reads a control picture (edges, depth, a pose) and steers the U-Net by residuals.
///
/// source Adding Conditional Control to Text-to-Image Diffusion Models (2302.05543) §3; diffusers
///        src/diffusers/models/controlnets/controlnet.py@58eb52c ControlNetModel
class ControlNet {
 public:
  /// Asks `w` for the weights by diffusers' names; keys.h maps the original ones.
  ControlNet(const weights::Scope& w, const ControlNetConfig& config);

  /// Embeds the control picture once for all steps.
  ///
  /// picture  [B, conditioning_channels, H, W] in pixels, 0 to 1, red first; H and W picture_scale() times the latents'
  /// return   [B, C, H', W'] float32
  /// throws   Error::shape
  at::Tensor embed(const at::Tensor& picture) const;

  /// latents, timestep, context, added: as the U-Net is given them, without mask or other pictures
  /// hint      from embed(); B or one for the whole batch
  /// throws    Error::shape
  ControlResiduals operator()(const at::Tensor& latents, const at::Tensor& timestep, const at::Tensor& context,
                              const AddedConditions& added, const at::Tensor& hint,
                              const ControlStrength& strength = {}) const;

  const ControlNetConfig& config() const { return config_; }

 private:
  ControlNetConfig config_;
  Conditions conditions_;
  layers::Conv2d hint_in;
  std::vector<layers::Conv2d> hint_blocks;
  layers::Conv2d hint_out;
  Encoder encoder_;
  std::vector<layers::Linear> down_;
  layers::Linear middle_;
};

}  // namespace keyflow::sd
