#pragma once
#include <cstdint>
#include <vector>

#include "pipeline/settings.h"

namespace keyflow::pipeline {

/// A stretch of the video that is sampled in one piece.
struct Segment {
  int64_t start = 0;                ///< first frame within the whole video
  int64_t frames = 0;               ///< 4n + 1
  std::vector<Keyframe> keyframes;  ///< frames counted from `start`, in order
  bool continues =
      false;  ///< no picture is given for the first frame: the previous segment's last frame is its keyframe
  bool operator==(const Segment&) const = default;
};

/// Cuts a video into segments of at most `longest` frames that share their border frame: segment k + 1 starts on the
/// last frame of segment k. Borders lie on multiples of 4, on a keyframe wherever one is in reach. frames 4n + 1;
/// keyframes in order, with frames in [0, frames); longest 4n + 1, at least 5
std::vector<Segment> plan_segments(int64_t frames, const std::vector<Keyframe>& keyframes, int64_t longest);

/// Frame numbers that spread `count` >= 2 pictures evenly over `frames` (4n + 1), each but the last on a multiple of 4.
/// Throws Error::usage when two of them would share a latent frame.
std::vector<int64_t> spread_keyframes(int64_t count, int64_t frames);

}  // namespace keyflow::pipeline
