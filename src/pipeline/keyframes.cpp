#include "pipeline/keyframes.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include "media/resize.h"
#include "models/wan/keyframe_mask.h"
#include "pipeline/finite.h"

namespace keyflow::pipeline {

at::Tensor fit_keyframe(const at::Tensor& rgb, const at::Tensor& first, const RenderSettings& settings) {
  if (settings.fit == "cover") return media::cover_crop(rgb, settings.height, settings.width);
  if (settings.conventions == "diffusers") {
    return media::to_signed(media::resize_lanczos_pil(rgb, settings.height, settings.width));
  }
  return media::resize_bicubic_torch(media::cover_crop_uint8(rgb, first.size(1), first.size(2)), settings.height,
                                     settings.width);
}

at::Tensor condition_latents(const Codec& codec, const ModelFacts& facts, const GivenFrames& given, int64_t frames,
                             const RenderSettings& settings, int64_t tile,
                             const std::function<void(int64_t)>& progress) {
  const int64_t latent_frames = facts.latent_frames(frames);
  const int64_t height = settings.height / facts.stride, width = settings.width / facts.stride;
  if (given.empty()) return at::zeros({1, 4 + facts.latent_channels, latent_frames, height, width}, at::kFloat);
  const auto source = [&](int64_t start, int64_t count) {
    at::Tensor video = at::zeros({1, 3, count, settings.height, settings.width}, at::kFloat);  // grey
    for (auto frame = given.lower_bound(start); frame != given.end() && frame->first < start + count; ++frame) {
      video.select(2, frame->first - start).copy_(frame->second);
    }
    progress(start + count);
    return video;
  };
  const at::Tensor latents = codec.encode(frames, source, tile);  // [1, Z, T, H, W]
  require_finite(latents, "image: the VAE's encoding of the keyframes");
  std::vector<int64_t> numbers;
  for (const auto& [frame, pixels] : given) numbers.push_back(frame);
  const at::Tensor mask = wan::keyframe_mask(numbers, frames)
                              .view({1, 4, latent_frames, 1, 1})
                              .expand({1, 4, latent_frames, height, width});
  return at::cat({mask, latents}, 1);
}

}  // namespace keyflow::pipeline
