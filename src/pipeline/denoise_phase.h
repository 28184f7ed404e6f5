#pragma once
#include <optional>

#include "pipeline/denoise.h"
#include "pipeline/phase_clock.h"
#include "pipeline/preview.h"
#include "pipeline/sampler_state_file.h"

namespace keyflow::pipeline {

/// Denoises segments of a plan, one after the other, with one loading of the transformer.
///
/// first, last   the segments [first, last)
/// conditioning  one for each of them
/// latents       of all segments before `first`; the new ones are appended
/// resume        the sampler's state within segment `first`; read once
/// preview       when asked for
/// throws        Error::interrupted after the state has been saved; Error::numeric naming step and module
void denoise_segments(const RenderPlan& plan, size_t first, size_t last, const std::vector<Conditioning>& conditioning,
                      std::vector<at::Tensor>& latents, std::optional<schedulers::SamplerState> resume,
                      const Previewer& preview, const OutputOptions& output, const std::string& metadata,
                      PhaseClock& clock);

}  // namespace keyflow::pipeline
