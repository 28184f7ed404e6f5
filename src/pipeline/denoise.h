#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "pipeline/denoiser.h"
#include "pipeline/model.h"
#include "pipeline/settings.h"
#include "schedulers/sampler.h"

namespace keyflow::pipeline {

/// True when the unconditional pass is needed.
bool is_guided(const RenderSettings& settings);

/// What went wrong in a step, for the one who decides whether to repeat it.
struct FailedStep {
  int64_t step = 0;    ///< counted from 0
  std::string module;  ///< the first one whose output is not finite
};

/// One segment from noise to latents: guided prediction, sampler, float32 latents throughout.
///
/// start    [1, Z, T, h, w] float32, as it stands at the first sigma
/// options  on_step and resume of the sampler
/// failed   filled in before NotFinite is thrown
/// return   [1, Z, T, h, w] float32, normalised
/// source   Wan2.1 wan/text2video.py@9737cba generate; diffusers 0.42.1 pipelines/stable_diffusion
at::Tensor denoise(Denoiser& denoiser, const Conditioning& conditioning, const RunSchedule& run,
                   const at::Tensor& start, const RenderSettings& settings, const schedulers::SamplerOptions& options,
                   FailedStep& failed);

}  // namespace keyflow::pipeline
