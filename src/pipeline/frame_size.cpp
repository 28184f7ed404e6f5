#include "pipeline/frame_size.h"

#include <cmath>

namespace keyflow::pipeline {

FrameSize official_frame_size(FrameSize picture, int64_t area, int64_t stride, int64_t patch) {
  const double aspect = static_cast<double>(picture.height) / static_cast<double>(picture.width);
  const auto latent_side = [&](double pixels) {
    const double cells = std::floor(std::floor(pixels / static_cast<double>(stride)) / static_cast<double>(patch));
    return std::max<int64_t>(static_cast<int64_t>(cells), 1) * patch;
  };
  const double whole = static_cast<double>(area);
  return {latent_side(std::sqrt(whole / aspect)) * stride, latent_side(std::sqrt(whole * aspect)) * stride};
}

FrameSize diffusers_frame_size(FrameSize picture, int64_t area, int64_t multiple) {
  const double aspect = static_cast<double>(picture.height) / static_cast<double>(picture.width);
  const auto side = [&](double pixels) {
    const auto rounded = static_cast<int64_t>(std::nearbyint(pixels));
    return std::max<int64_t>(rounded / multiple, 1) * multiple;
  };
  const double whole = static_cast<double>(area);
  return {side(std::sqrt(whole / aspect)), side(std::sqrt(whole * aspect))};
}

std::string nearest_two(int64_t value, int64_t step, int64_t offset) {
  const int64_t first = offset == 0 ? step : offset;
  if (value <= first) return std::to_string(first);
  const int64_t below = offset + (value - offset) / step * step;
  return std::to_string(below) + " or " + std::to_string(below + step);
}

}  // namespace keyflow::pipeline
