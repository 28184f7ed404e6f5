#include "pipeline/init_image.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/zeros.h>

#include "pipeline/finite.h"
#include "pipeline/keyframes.h"
#include "pipeline/model.h"
#include "schedulers/sampler.h"

namespace keyflow::pipeline {
namespace {

at::Tensor fitted(const RenderPlan& plan, const std::string& picture) {
  const at::Tensor& rgb = plan.pictures.at(picture);
  return fit_keyframe(rgb, rgb, plan.settings);
}

/// [3, H, W] -> [1, Z, 1, h, w]
at::Tensor encoded(const Codec& codec, const at::Tensor& picture, int64_t tile, const at::Tensor& noise) {
  const auto source = [&](int64_t, int64_t) { return picture.unsqueeze(0).unsqueeze(2); };
  at::Tensor latents = codec.encode(1, source, tile, noise);
  require_finite(latents, "image: the VAE's encoding of the picture to start from");
  return latents;
}

}  // namespace

at::Tensor mask_of(const RenderPlan& plan) {
  const RenderSettings& settings = plan.settings;
  // Without a single step nothing of the picture changes.
  if (!settings.init_image.empty() && settings.strength == 0) {
    return at::zeros({settings.height, settings.width}, at::kFloat);
  }
  if (settings.mask.empty()) return {};
  const at::Tensor rgb = fitted(plan, settings.mask);  // [3, H, W] in [-1, 1]
  const at::Tensor grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
  return (grey * 0.5 + 0.5).clamp(0, 1);
}

at::Tensor init_picture_of(const RenderPlan& plan) {
  return plan.settings.init_image.empty() ? at::Tensor() : fitted(plan, plan.settings.init_image);
}

bool needs_init_image(const RenderPlan& plan) {
  return !plan.settings.init_image.empty() || plan.model->facts().takes_masked_picture;
}

void add_init_image(Conditioning& conditioning, const RenderPlan& plan, const Codec& codec, uint64_t seed) {
  const ModelFacts& facts = plan.model->facts();
  const RenderSettings& settings = plan.settings;
  const int64_t height = settings.height / facts.stride, width = settings.width / facts.stride;
  const schedulers::StepNoise draw = schedulers::seeded_noise({seed}, {facts.latent_channels, 1, height, width}, 0,
                                                              schedulers::noise_kind(settings.rng));
  int64_t draws = 0;
  const auto next = [&] { return draw(draws++ - 1); };

  const at::Tensor picture = init_picture_of(plan);
  const at::Tensor soft = mask_of(plan);
  // Networks know a mask of yes and no; the soft one joins the pixels afterwards.
  const at::Tensor mask = soft.defined() ? soft.ge(0.5).to(at::kFloat).unsqueeze(0).unsqueeze(0)
                                         : at::ones({1, 1, settings.height, settings.width}, at::kFloat);
  const bool is_masked = soft.defined(), keeps_latents = is_masked && !facts.takes_masked_picture;
  // With a mask and all of the steps the picture's own latents are nowhere to be seen, unless they are kept.
  const bool is_start = picture.defined() && (!is_masked || settings.strength < 1);
  at::Tensor clean;
  if (is_start || keeps_latents || (picture.defined() && facts.draws_start_picture)) {
    clean = encoded(codec, picture, plan.tile, next());
  }
  if (is_start) conditioning.initial = clean;
  conditioning.draws = draws;
  const at::Tensor noise = next();
  if (keeps_latents) {
    conditioning.kept = {clean, noise, at::upsample_nearest2d(mask, {height, width}).unsqueeze(2)};
    ++draws;  // of the masked picture's latents, which those pipelines draw for networks of any kind
  }
  if (facts.takes_masked_picture) {
    const at::Tensor grey = at::zeros({3, settings.height, settings.width}, at::kFloat);
    const at::Tensor masked = picture.defined() && soft.defined() ? picture * (1 - mask[0]) : grey;
    conditioning.channels = plan.model->masked_channels(encoded(codec, masked, plan.tile, next()), mask);
  }
  conditioning.later_draws = draws - conditioning.draws - 1;
}

}  // namespace keyflow::pipeline
