#pragma once
#include "pipeline/frame_writer.h"
#include "pipeline/phase_clock.h"

namespace keyflow::pipeline {

/// Decodes segments [first, last) into the writer, one latent frame at a time, with one loading of the VAE.
///
/// latents  of all segments up to `last`
/// colours  targets of all segments of the plan
/// throws   NotFinite when a frame is not finite, Error::interrupted between frames
void decode_segments(const RenderPlan& plan, const Compute& compute, size_t first, size_t last,
                     const std::vector<at::Tensor>& latents, const std::vector<std::vector<ColourTarget>>& colours,
                     FrameWriter& writer, PhaseClock& clock);

}  // namespace keyflow::pipeline
