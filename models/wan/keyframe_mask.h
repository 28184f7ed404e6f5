#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace keyflow::wan {

/// The latent frame that pixel frame `frame` >= 0 falls into: 0 stands alone, then four to one.
constexpr int64_t latent_frame(int64_t frame) { return (frame + 3) / 4; }

/// Which pixel frames are given, as the four mask channels of Wan's image models: channel c of latent frame k > 0 marks
/// pixel frame 4k - 3 + c; all four of latent frame 0 mark frame 0.
///
/// given   pixel frames in [0, frames)
/// frames  4n + 1
/// return  [4, n + 1] float32, 1 given, 0 to be generated
/// source  Wan2.1 wan/image2video.py@9737cba, wan/first_last_frame2video.py (which is hard-coded to 81 frames)
at::Tensor keyframe_mask(const std::vector<int64_t>& given, int64_t frames);

}  // namespace keyflow::wan
