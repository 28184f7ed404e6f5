#include "pipeline/families/image_model.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "schedulers/scheduler_config.h"

namespace keyflow::pipeline {

using models::Part;

Habits ImageModel::apply_presets(RenderSettings& settings) {
  nlohmann::json values{{"frames", 1},
                        {"fps", 1.0},
                        {"steps", defaults_.steps},
                        {"guidance_scale", defaults_.guidance_scale},
                        {"guidance", defaults_.guidance},
                        {"sampler", schedule_.sampler},
                        {"strength", settings.mask.empty() ? 0.75 : 1.0}};
  if (settings.width <= 0 && settings.init_image.empty()) {
    values["width"] = defaults_.edge;
    values["height"] = defaults_.edge;
  }
  apply_json(settings, values, Origin::model, "preset of " + facts_.variant);
  return {defaults_.edge * defaults_.edge, 1};
}

RunSchedule ImageModel::schedule(const RenderSettings& settings, double strength) const {
  schedulers::ScheduleRequest request;
  request.sampler = settings.sampler;
  if (settings.schedule != "model") request.schedule = settings.schedule;
  request.steps = settings.steps;
  if (settings.shift > 0) request.shift = settings.shift;
  request.tokens = settings.width / facts_.multiple * (settings.height / facts_.multiple);
  request.strength = strength;
  if (settings.eta >= 0) request.eta = settings.eta;
  return {schedulers::make_schedule(schedule_, request), schedule_.prediction,
          schedulers::sampler_options(schedule_, request)};
}

void ImageModel::plan_schedule(schedulers::ModelSchedule published) {
  schedule_ = std::move(published);
  const std::filesystem::path& path = parts().scheduler_config;
  if (path.empty()) return;
  const schedulers::ModelSchedule family = schedule_;
  schedule_ = schedulers::read_scheduler_config(path);
  schedule_.even_sigmas = family.even_sigmas;  // what the file does not say
  schedule_.ays = family.ays;
}

void ImageModel::plan_vae(autoencoder_kl::LatentSpace space, int64_t channels) {
  const Network& vae = add_network(Part::vae);
  const int64_t own = autoencoder_kl::autoencoder_config_from_tensors(vae.file()->tensors()).latent_channels;
  if (channels > 0) {
    require_fit(Part::vae, own, channels, "latent channels", "the VAE the checkpoint was published with, by --vae");
  }
  vae_ = KlFiles::open(vae, space, facts_);
}

ClipText ImageModel::open_clip(Part part) {
  const Network& network = add_network(part);
  const int64_t vocabulary = ClipText(network, nullptr).config().vocab_size;
  ClipText text(network, open_tokenizer_of(part, vocabulary));
  text.learn(parts().embeddings, part == Part::text_encoder_2 ? "clip_g" : "clip_l");
  return text;
}

T5Text ImageModel::open_t5() {
  const Network& network = add_network(Part::t5_encoder);
  const int64_t vocabulary = T5Text(network, nullptr).config().vocab_size;
  return T5Text(network, open_tokenizer_of(Part::t5_encoder, vocabulary));
}

uint64_t ImageModel::transformer_bytes(const RenderSettings& settings, int64_t text_tokens, int64_t width) const {
  const int64_t tokens = settings.width / facts_.multiple * (settings.height / facts_.multiple) + text_tokens;
  constexpr int64_t kMaps = 16;  // of a token's width in float32
  return static_cast<uint64_t>(tokens) * static_cast<uint64_t>(width * 4 * kMaps);
}

MemoryEstimate ImageModel::estimate_shared(const RenderSettings& settings, const Compute& compute, int64_t tile) const {
  const double pixels = static_cast<double>(settings.width) * static_cast<double>(settings.height);
  const auto rounded = [](double bytes) { return static_cast<uint64_t>(std::min(bytes, 9e18)); };
  MemoryEstimate estimate;
  double text = 0;
  for (const Part part : {Part::text_encoder, Part::text_encoder_2, Part::t5_encoder}) {
    const auto found = networks().find(part);
    if (found != networks().end()) text = std::max(text, converted_bytes(found->second, compute.linear));
  }
  estimate.text = rounded(text + 256.0 * 1024 * 1024);
  estimate.decode = rounded(vae_.bytes(pixels, tile, compute) + converted_bytes(network(Part::vae), compute.conv2d));
  estimate.image = estimate.decode;
  const auto denoiser = networks().find(Part::denoiser);
  if (denoiser != networks().end()) estimate.denoise = rounded(converted_bytes(denoiser->second, compute.linear));
  return estimate;
}

}  // namespace keyflow::pipeline
