#pragma once
#include "pipeline/colour_match.h"
#include "pipeline/denoiser.h"
#include "pipeline/phase_clock.h"

namespace keyflow::pipeline {

/// Encodes the pictures of segments [first, last) of the plan: picture encoder, then VAE, each loaded and freed in
/// turn. What keyframes become, a picture to start from, a mask: all but the prompts.
///
/// continued  the frame that segment `first` goes on from, [3, H, W] float32; undefined for none
/// throws     Error::numeric naming the network
std::vector<Conditioning> encode_pictures(const RenderPlan& plan, size_t first, size_t last,
                                          const at::Tensor& continued, PhaseClock& clock);

/// The colours that settings.color_match moves the segment's frames to.
std::vector<ColourTarget> colour_targets(const RenderPlan& plan, const Segment& segment);

}  // namespace keyflow::pipeline
