#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "pipeline/phase_clock.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

/// Latents of a smaller picture at the size of the full one, by settings.hires_upscaler: straight from latents
/// (bilinear, nearest, bicubic), or through pixels (decoded, enlarged by Lanczos, encoded).
///
/// latents  [1, Z, 1, h, w]
/// shape    [Z, 1, H, W] to reach
/// source   AUTOMATIC1111/stable-diffusion-webui@v1.10.1: modules/shared_items.py latent_upscale_modes
at::Tensor enlarged_latents(const at::Tensor& latents, at::IntArrayRef shape, const RenderPlan& plan,
                            PhaseClock& clock);

}  // namespace keyflow::pipeline
