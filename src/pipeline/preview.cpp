#include "pipeline/preview.h"

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_lstsq.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include "core/random.h"
#include "media/resize.h"

namespace keyflow::pipeline {
namespace {

constexpr int64_t kCards = 16, kSide = 64, kLeastHeight = 96;

/// [L, Z] -> [L, Z + 1]
at::Tensor with_ones(const at::Tensor& rows) { return at::cat({rows, at::ones({rows.size(0), 1}, rows.options())}, 1); }

}  // namespace

LatentColours fit_latent_colours(const Codec& codec, int64_t stride) {
  const at::Tensor blobs = randn({kCards, 3, 4, 4}, 0).clamp(-1, 1);
  const at::Tensor cards = at::upsample_bilinear2d(blobs, {kSide, kSide}, /*align_corners=*/false);  // [B, 3, H, W]
  std::vector<at::Tensor> encoded;
  for (const auto& card : cards.unbind(0)) {
    const auto source = [&](int64_t, int64_t) { return card.unsqueeze(0).unsqueeze(2); };
    encoded.push_back(codec.encode(1, source, 0));
  }
  const at::Tensor latents = at::cat(encoded).squeeze(2);              // [B, Z, h, w]
  const at::Tensor colours = at::avg_pool2d(cards, {stride, stride});  // [B, 3, h, w]
  const at::Tensor x = with_ones(latents.permute({0, 2, 3, 1}).reshape({-1, latents.size(1)}));
  const at::Tensor y = colours.permute({0, 2, 3, 1}).reshape({-1, 3});
  return {std::get<0>(at::linalg_lstsq(x, y))};
}

at::Tensor preview_picture(const at::Tensor& latents, const LatentColours& colours) {
  const int64_t channels = latents.size(1), frames = latents.size(2), height = latents.size(3), width = latents.size(4);
  const at::Tensor rows = latents[0].permute({2, 1, 3, 0}).reshape({-1, channels});  // [H T W, Z]
  const at::Tensor strip = with_ones(rows).matmul(colours.factors).view({height, frames * width, 3}).permute({2, 0, 1});
  const at::Tensor small = media::to_uint8(strip.contiguous(), media::Quantize::nearest);  // [3, H, T W]
  const int64_t factor = (kLeastHeight + height - 1) / height;
  return at::repeat_interleave(at::repeat_interleave(small, factor, 1), factor, 2).contiguous();
}

Previewer make_previewer(const Model& model, const Compute& compute) {
  if (model.networks().count(models::Part::tiny_vae) > 0) {
    const std::shared_ptr<const Codec> codec = model.load_tiny_codec(compute);
    return [codec](const at::Tensor& latents) {
      at::Tensor picture;
      codec->decode(
          latents, [&](const at::Tensor& frames) { picture = frames[0].select(1, 0).contiguous(); }, 0);
      return media::to_uint8(picture, media::Quantize::nearest);
    };
  }
  const LatentColours colours = fit_latent_colours(*model.load_codec(compute), model.facts().stride);
  return [colours](const at::Tensor& latents) { return preview_picture(latents, colours); };
}

}  // namespace keyflow::pipeline
