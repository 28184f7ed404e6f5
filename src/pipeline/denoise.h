#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

#include "models/wan/transformer.h"
#include "pipeline/settings.h"
#include "schedulers/sampler.h"

namespace keyflow::pipeline {

/// What steers one segment.
struct Conditioning {
  at::Tensor text;       ///< [1, L, E] of the prompt
  at::Tensor negative;   ///< [1, L', E]; undefined: no guidance
  at::Tensor keyframes;  ///< [1, 4 + Z, T, H, W] mask and latents; undefined for text-to-video networks
  at::Tensor pictures;   ///< [1, K, E'] tokens of the picture encoder; undefined for none
};

/// The list of sigmas that the sampler and the conventions of `settings` ask for.
schedulers::Schedule schedule_of(const RenderSettings& settings);

/// True when the unconditional pass is needed.
bool is_guided(const RenderSettings& settings);

/// What went wrong in a step, for the one who decides whether to repeat it.
struct FailedStep {
  int64_t step = 0;    ///< counted from 0
  std::string module;  ///< the first one whose output is not finite
};

/// One segment from noise to latents: guided velocity, sampler, float32 latents throughout.
///
/// noise    [1, Z, T, H, W] float32
/// options  on_step and resume of the sampler
/// failed   filled in before NotFinite is thrown
/// return   [1, Z, T, H, W] float32, normalised
/// source   Wan2.1 wan/text2video.py@9737cba generate
at::Tensor denoise(const wan::Transformer& transformer, const Conditioning& conditioning, const at::Tensor& noise,
                   const RenderSettings& settings, const schedulers::SamplerOptions& options, FailedStep& failed);

}  // namespace keyflow::pipeline
