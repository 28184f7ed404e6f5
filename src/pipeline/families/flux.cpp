#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include "core/error.h"
#include "models/clip/lora_names.h"
#include "models/flux/lora_names.h"
#include "models/flux/packing.h"
#include "models/flux/transformer_load.h"
#include "models/flux/variant.h"
#include "models/t5/lora_names.h"
#include "pipeline/families/families.h"
#include "pipeline/families/image_model.h"
#include "pipeline/families/prompt_text.h"

namespace keyflow::pipeline {

using models::Part;
namespace {

constexpr int64_t kPatch = 2;  // latent positions along the edge of a token

constexpr int64_t kTokens = 512, kFewTokens = 256;  // of T5, for -dev and -schnell

class FluxDenoiser final : public Denoiser {
 public:
  explicit FluxDenoiser(flux::Transformer transformer) : transformer_(std::move(transformer)) {}

  void prepare(const Conditioning& conditioning) override {
    at::Tensor guidance;
    if (transformer_.config().guidance_embeds) guidance = at::full({1}, conditioning.guidance, at::kFloat);
    prompt_ = transformer_.prepare(conditioning.prompt.tokens, conditioning.prompt.pooled, guidance);
    if (conditioning.negative.tokens.defined()) {
      negative_ = transformer_.prepare(conditioning.negative.tokens, conditioning.negative.pooled, guidance);
    }
  }
  at::Tensor operator()(const at::Tensor& latents, const StepPlace& step, Pass pass) const override {
    return transformer_(latents.squeeze(2), time_of(step), context_of(pass)).unsqueeze(2);
  }
  std::string first_non_finite(const at::Tensor& latents, const StepPlace& step, Pass pass) const override {
    return transformer_.first_non_finite(latents.squeeze(2), time_of(step), context_of(pass));
  }

 private:
  static at::Tensor time_of(const StepPlace& step) { return at::full({1}, step.time, at::kFloat); }
  const flux::Context& context_of(Pass pass) const { return pass == Pass::negative ? negative_ : prompt_; }

  flux::Transformer transformer_;
  flux::Context prompt_, negative_;
};

/// The list is 1 ... 1/N before its shift, which -dev derives from the number of tokens.
/// source FLUX src/flux/sampling.py@c00d7c6 get_schedule; the scheduler_config.json of FLUX.1-dev and -schnell
schedulers::ModelSchedule published_schedule(bool distilled_steps) {
  schedulers::ModelSchedule schedule;
  schedule.sampler = "euler";
  schedule.prediction = schedulers::Prediction::flow;
  schedule.even_sigmas = true;
  if (!distilled_steps) schedule.dynamic = schedulers::DynamicShift::exponential;
  return schedule;
}

/// FLUX.1-dev, -schnell and -Fill: CLIP-L's pooled text and T5's tokens.
class FluxModel final : public ImageModel {
 public:
  FluxModel(ModelParts found, Need need) : ImageModel(std::move(found)) {
    if (need == Need::render) {
      const PartFile& part = add_network(Part::denoiser).part;
      config_ = flux::transformer_config(*part.file, part.config);
      facts_.variant = flux::variant_of(config_);
    }
    const int64_t channels = need == Need::render ? config_.out_channels / (kPatch * kPatch) : 0;
    if (need != Need::text) plan_vae(autoencoder_kl::LatentSpace::flux, channels);
    if (need != Need::vae) {
      clip_ = open_clip(Part::text_encoder);
      t5_ = open_t5();
    }
    if (need == Need::render) plan_render();
  }

  std::vector<EncodedPrompt> encode_prompts(const std::vector<std::string>& prompts, const RenderSettings& settings,
                                            const Compute& compute, Observer& observer) const override {
    const std::vector<text::Prompt> read = read_prompts(prompts, settings);
    // Only CLIP's pooled text counts, and T5 has the rest of a long prompt.
    std::vector<text::PromptTokens> rows;
    const auto length = static_cast<size_t>(clip_.config().max_position_embeddings);
    for (const auto& prompt : read) {
      text::require_known_embeddings(prompt, clip_.words());
      rows.push_back(text::fixed_tokens(clip_.tokenizer(), prompt, length));
    }
    const auto clip = clip_.encode(rows, clip::Reader::flux, settings.clip_skip, compute, observer);
    std::vector<EncodedPrompt> result =
        t5_.encode(read, config_.guidance_embeds ? kTokens : kFewTokens, compute, observer);
    for (size_t i = 0; i < result.size(); ++i) result[i].embedding.pooled = clip[i].pooled;
    return result;
  }

  at::Tensor masked_channels(const at::Tensor& masked, const at::Tensor& mask) const override {
    return at::cat({masked, flux::mask_channels(mask).unsqueeze(2)}, 1);
  }

  std::unique_ptr<Denoiser> load_denoiser(const Compute& compute) const override {
    return std::make_unique<FluxDenoiser>(
        flux::load_transformer(network(Part::denoiser).file(), config_, compute, network(Part::denoiser).lora));
  }

  MemoryEstimate estimate_memory(const RenderSettings& settings, const Compute& compute, int64_t,
                                 int64_t tile) const override {
    MemoryEstimate estimate = estimate_shared(settings, compute, tile);
    estimate.denoise += transformer_bytes(settings, kTokens, config_.dim());
    return estimate;
  }

 private:
  void plan_render() {
    facts_.multiple = facts_.stride * kPatch;
    facts_.takes_masked_picture = facts_.draws_start_picture = flux::is_fill(config_);
    require_fit(Part::text_encoder, clip_.config().hidden_size, config_.pooled_projection_dim, "channels",
                "CLIP-L, by --clip-l");
    require_fit(Part::t5_encoder, t5_.config().d_model, config_.joint_attention_dim, "channels", "T5-XXL, by --t5xxl");
    add_tiny_vae();
    const auto place = weights::TextPlace::among_others;
    match_loras(Part::denoiser, flux::lora_names());
    match_loras(Part::text_encoder, clip::lora_names(1, place));
    match_loras(Part::t5_encoder, t5::lora_names(2, place));
    require_matched_loras();
    plan_schedule(published_schedule(!config_.guidance_embeds));
    constexpr double kGuidance = 3.5, kFillGuidance = 30;
    const bool dev = facts_.guidance_is_input = config_.guidance_embeds;
    defaults_ = {dev ? 50 : 4, 1.0, !dev ? 0 : facts_.takes_masked_picture ? kFillGuidance : kGuidance, 1024};
  }

  flux::TransformerConfig config_;
  ClipText clip_;
  T5Text t5_;
};

}  // namespace

std::shared_ptr<Model> open_flux(ModelParts parts, Need need) {
  return std::make_shared<FluxModel>(std::move(parts), need);
}

std::vector<Part> flux_parts(const ModelParts&, Need need) {
  if (need == Need::vae) return {Part::vae};
  if (need == Need::text) return {Part::text_encoder, Part::t5_encoder};
  return {Part::denoiser, Part::vae, Part::text_encoder, Part::t5_encoder};
}

}  // namespace keyflow::pipeline
