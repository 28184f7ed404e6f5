#include "pipeline/enlarge.h"

#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>

#include "media/resize.h"
#include "pipeline/finite.h"
#include "pipeline/model.h"

namespace keyflow::pipeline {

at::Tensor enlarged_latents(const at::Tensor& latents, at::IntArrayRef shape, const RenderPlan& plan,
                            PhaseClock& clock) {
  const std::string& way = plan.settings.hires_upscaler;
  const int64_t height = shape[2], width = shape[3];
  const at::Tensor flat = latents.squeeze(2);  // [1, Z, h, w]
  if (way == "latent") return at::upsample_bilinear2d(flat, {height, width}, false).unsqueeze(2);
  if (way == "latent-nearest") return at::upsample_nearest2d(flat, {height, width}).unsqueeze(2);
  if (way == "latent-bicubic") return at::upsample_bicubic2d(flat, {height, width}, false).unsqueeze(2);

  clock.start(Phase::load, 1);
  const std::unique_ptr<Codec> codec = plan.model->load_codec(plan.compute);
  at::Tensor picture;
  codec->decode(
      latents, [&](const at::Tensor& frames) { picture = frames[0].select(1, 0).contiguous(); }, plan.tile);
  require_finite(picture, "decode");
  const at::Tensor rgb = media::to_uint8(picture, media::Quantize::nearest);
  const at::Tensor large = media::to_signed(media::resize_lanczos_pil(rgb, plan.settings.height, plan.settings.width));
  const auto source = [&](int64_t, int64_t) { return large.unsqueeze(0).unsqueeze(2); };
  const at::Tensor encoded = codec->encode(1, source, plan.tile);
  require_finite(encoded, "image: the VAE's encoding of the enlarged picture");
  return encoded;
}

}  // namespace keyflow::pipeline
