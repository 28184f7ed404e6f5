#pragma once
#include <cstdint>
#include <string>

namespace keyflow::pipeline {

struct FrameSize {
  int64_t width = 0, height = 0;
  bool operator==(const FrameSize&) const = default;
};

/// The frame that takes a picture's aspect at about `area` pixels, in float64 with the source's order of operations:
/// sides of `stride` latent pixels, an even multiple of `patch` of them.
/// source Wan2.1 wan/image2video.py@9737cba generate (832x480 at 399360 gives 832x464 there too)
FrameSize official_frame_size(FrameSize picture, int64_t area, int64_t stride, int64_t patch);

/// The same by the rule of the diffusers documentation: round(sqrt(area aspect)) floored to a multiple of `multiple`.
/// source diffusers 0.42.1 pipelines/wan/pipeline_wan_i2v.py EXAMPLE_DOC_STRING
FrameSize diffusers_frame_size(FrameSize picture, int64_t area, int64_t multiple);

/// The two nearest valid numbers around `value`: "96 or 112"; one when value lies below the first.
/// Valid are offset + k step with k >= 0 (and > 0 when offset is 0).
std::string nearest_two(int64_t value, int64_t step, int64_t offset);

}  // namespace keyflow::pipeline
