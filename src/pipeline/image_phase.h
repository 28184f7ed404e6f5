#pragma once
#include "pipeline/colour_match.h"
#include "pipeline/phase_clock.h"

namespace keyflow::pipeline {

/// What the pictures of one segment become.
struct PictureConditions {
  at::Tensor keyframes;  ///< [1, 4 + Z, T, H, W] mask and latents; undefined for a text-to-video network
  at::Tensor tokens;  ///< [1, K, E] of the picture encoder, zeros for a slot without picture; undefined without branch
};

/// Encodes the pictures of segments [first, last) of the plan: picture encoder, then VAE, each loaded and freed in
/// turn. continued  the frame that segment `first` goes on from, [3, H, W] float32; undefined for none throws
/// Error::numeric naming the network
std::vector<PictureConditions> encode_pictures(const RenderPlan& plan, size_t first, size_t last,
                                               const at::Tensor& continued, PhaseClock& clock);

/// The colours that settings.color_match moves the segment's frames to.
std::vector<ColourTarget> colour_targets(const RenderPlan& plan, const Segment& segment);

}  // namespace keyflow::pipeline
