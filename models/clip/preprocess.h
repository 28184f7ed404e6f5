#pragma once
#include <ATen/core/Tensor.h>

#include <array>

namespace keyflow::clip {

/// Mean and standard deviation of each colour in CLIP's training pictures, of values in [0, 1].
struct PixelStatistics {
  std::array<double, 3> mean{0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std{0.26862954, 0.26130258, 0.27577711};
};

/// A picture as Wan's own program shows it to CLIP: squashed to a square by torch's bicubic filter (a = -0.75, corners
/// not aligned, no antialiasing, no crop), then normalised. Values past [0, 1] from the filter's overshoot are kept.
///
/// picture  [B, 3, H, W] float32 in [-1, 1], in its ORIGINAL size, not that of the video
/// size     edge of the square in pixels, VisionConfig::image_size
/// return   [B, 3, size, size] float32
/// throws   Error::shape
/// source   Wan2.1 wan/modules/clip.py@9737cba CLIPModel.visual
at::Tensor preprocess(const at::Tensor& picture, int64_t size, const PixelStatistics& statistics = {});

/// Values in [0, 1] to CLIP's normalised ones, for pictures resized in another way.
at::Tensor normalise(const at::Tensor& picture, const PixelStatistics& statistics = {});

}  // namespace keyflow::clip
