#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "pipeline/segments.h"
#include "pipeline/settings.h"

namespace keyflow::pipeline {

/// Which of a segment's pictures the picture encoder shows to each slot of the network; -1 for none.
/// One slot takes the first picture. Of two, the first takes the picture of frame 0 and the second the last other one.
std::vector<int64_t> slots_of(const std::vector<int64_t>& frames, int64_t slots);

/// A picture as the vision tower takes it.
///
/// official   the picture as read, squeezed to edge x edge by torch bicubic; one of another size than the video's first
///            is made to cover its size before (the official program only crops)
/// diffusers  shortest side to `edge` by Pillow's bicubic, centre crop
/// rgb, first [3, H0, W0] uint8
/// return     [1, 3, edge, edge] float32, normalised with CLIP's mean and deviation
/// source     Wan2.1 wan/modules/clip.py@9737cba visual; transformers 5.23.0 CLIPImageProcessor
at::Tensor vision_input(const at::Tensor& rgb, const at::Tensor& first, int64_t edge, const RenderSettings& settings);

}  // namespace keyflow::pipeline
