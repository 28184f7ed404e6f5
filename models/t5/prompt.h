#pragma once
#include <ATen/core/Tensor.h>

#include "models/t5/encoder.h"

namespace keyflow::t5 {

/// A prompt as SD 3 and FLUX read it from T5. Padding is attended to, as they were trained: no mask.
///
/// ids      [B, L] int64, padded to the family's length (SD 3: 256, FLUX dev: 512, schnell: 256)
/// weights  [B, L], any float, the attention weight of each token: its state is multiplied by it; undefined for ones.
///          Unlike CLIP's, the states' mean is not restored: T5's lies near zero, and the ratio of two such means is
///          noise.
/// return   [B, L, d_model] float32
/// throws   Error::shape; Error::usage for an id outside the vocabulary
/// source   diffusers@0.42.1: pipelines/stable_diffusion_3/pipeline_stable_diffusion_3.py _get_t5_prompt_embeds,
///          pipelines/flux/pipeline_flux.py _get_t5_prompt_embeds
at::Tensor encode_prompt(const Encoder& encoder, const at::Tensor& ids, const at::Tensor& weights = {});

}  // namespace keyflow::t5
