#include "pipeline/segments.h"

#include "core/error.h"

namespace keyflow::pipeline {
namespace {

constexpr int64_t kStride = 4;  // frames of one latent frame, but for the first

/// The frame on which the segment that starts at `start` ends: the farthest keyframe in reach that lies on a multiple
/// of 4, else an even share of the way to the next border that must be.
int64_t next_border(int64_t start, int64_t last, const std::vector<Keyframe>& keyframes, int64_t reach) {
  if (last - start <= reach) return last;
  int64_t border = -1, beyond = last;
  for (const auto& keyframe : keyframes) {
    if (keyframe.frame <= start || keyframe.frame % kStride != 0) continue;
    if (keyframe.frame - start <= reach) {
      border = keyframe.frame;
    } else {
      beyond = std::min(beyond, keyframe.frame);
    }
  }
  if (border > 0) return border;
  const int64_t parts = (beyond - start + reach - 1) / reach;
  const int64_t share = ((beyond - start) / parts + kStride - 1) / kStride * kStride;
  return start + std::min(share, reach);
}

}  // namespace

std::vector<Segment> plan_segments(int64_t frames, const std::vector<Keyframe>& keyframes, int64_t longest) {
  require(frames % kStride == 1 && longest % kStride == 1 && longest > kStride, ErrorKind::internal,
          "plan_segments: lengths must be 4n + 1, found ", frames, " and ", longest);
  std::vector<Segment> segments;
  int64_t start = 0;
  do {
    const int64_t border = next_border(start, frames - 1, keyframes, longest - 1);
    Segment segment{start, border - start + 1, {}, start > 0};
    for (const auto& keyframe : keyframes) {
      if (keyframe.frame < start || keyframe.frame > border) continue;
      segment.keyframes.push_back(keyframe);
      segment.keyframes.back().frame -= start;
      if (keyframe.frame == start) segment.continues = false;
    }
    segments.push_back(std::move(segment));
    start = border;
  } while (start < frames - 1);
  return segments;
}

std::vector<int64_t> spread_keyframes(int64_t count, int64_t frames) {
  const int64_t latents = (frames - 1) / kStride;
  require(count >= 2, ErrorKind::usage, "interpolate: expected at least 2 pictures, found ", count);
  require(latents >= count - 1, ErrorKind::usage, "--frames ", frames, ": ", count,
          " pictures need a latent frame each, that is at least ", (count - 1) * kStride + 1, " frames");
  std::vector<int64_t> places;
  for (int64_t i = 0; i < count; ++i) places.push_back(i * latents / (count - 1) * kStride);
  return places;
}

}  // namespace keyflow::pipeline
