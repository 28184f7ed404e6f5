#include "pipeline/picture_tokens.h"

#include "media/resize.h"
#include "models/clip/preprocess.h"

namespace keyflow::pipeline {

std::vector<int64_t> slots_of(const std::vector<int64_t>& frames, int64_t slots) {
  std::vector<int64_t> chosen(static_cast<size_t>(slots), -1);
  const auto count = static_cast<int64_t>(frames.size());
  if (slots == 0 || count == 0) return chosen;
  if (slots == 1 || frames.front() == 0) chosen[0] = 0;
  if (slots > 1 && (count > 1 || frames.front() != 0)) chosen[1] = count - 1;
  return chosen;
}

at::Tensor vision_input(const at::Tensor& rgb, const at::Tensor& first, int64_t edge, const RenderSettings& settings) {
  if (settings.conventions == "diffusers") {
    return clip::normalise((media::clip_crop_pil(rgb, edge).to(at::kFloat) / 255).unsqueeze(0));
  }
  const at::Tensor picture = media::cover_crop(rgb, first.size(1), first.size(2));  // [3, H, W] in [-1, 1]
  return clip::preprocess(picture.unsqueeze(0), edge);
}

}  // namespace keyflow::pipeline
