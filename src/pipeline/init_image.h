#pragma once
#include <ATen/core/Tensor.h>

#include "pipeline/codec.h"
#include "pipeline/denoiser.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

/// The mask of an inpainting, settings.mask fitted to the frame as the picture is: [H, W] float32, 0 keep, 1 paint
/// anew; all 0 with a strength of 0. Undefined without one.
at::Tensor mask_of(const RenderPlan& plan);

/// The picture to start from, fitted to the frame: [3, H, W] float32 in [-1, 1]. Undefined without one.
at::Tensor init_picture_of(const RenderPlan& plan);

/// Fills in what a picture to start from, and a mask, give to the picture of this seed: the latents to start from,
/// those to keep, and the channels of a network that was made for inpainting. Noise is drawn in the order of diffusers'
/// pipelines: of the picture's latents, then of the sample, then of the masked picture's latents.
///
/// source  diffusers 0.42.1 pipelines/stable_diffusion/pipeline_stable_diffusion_{img2img,inpaint}.py,
///         pipelines/flux/pipeline_flux_{img2img,inpaint,fill}.py
/// throws  NotFinite when the encoder's output is not
void add_init_image(Conditioning& conditioning, const RenderPlan& plan, const Codec& codec, uint64_t seed);

/// True when a render needs the encoder for a picture to start from or for a network's own inpainting input.
bool needs_init_image(const RenderPlan& plan);

}  // namespace keyflow::pipeline
