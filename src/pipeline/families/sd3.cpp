#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include "core/error.h"
#include "models/clip/lora_names.h"
#include "models/sd3/lora_names.h"
#include "models/sd3/transformer_load.h"
#include "models/sd3/variant.h"
#include "models/t5/lora_names.h"
#include "pipeline/families/families.h"
#include "pipeline/families/image_model.h"
#include "pipeline/families/prompt_text.h"

namespace keyflow::pipeline {

using models::Part;
namespace {

constexpr int64_t kT5Tokens = 256;  // source diffusers 0.42.1 pipeline_stable_diffusion_3.py max_sequence_length

class Sd3Denoiser final : public Denoiser {
 public:
  Sd3Denoiser(sd3::Transformer transformer) : transformer_(std::move(transformer)) {}

  void prepare(const Conditioning& conditioning) override {
    prompt_ = transformer_.prepare(conditioning.prompt.tokens, conditioning.prompt.pooled);
    if (conditioning.negative.tokens.defined()) {
      negative_ = transformer_.prepare(conditioning.negative.tokens, conditioning.negative.pooled);
    }
    skipped_layers_ = conditioning.skipped_layers;
  }
  at::Tensor operator()(const at::Tensor& latents, const StepPlace& step, Pass pass) const override {
    const std::vector<int64_t> none;
    return transformer_(latents.squeeze(2), time_of(step), context_of(pass),
                        pass == Pass::skipped ? skipped_layers_ : none)
        .unsqueeze(2);
  }
  std::string first_non_finite(const at::Tensor& latents, const StepPlace& step, Pass pass) const override {
    return transformer_.first_non_finite(latents.squeeze(2), time_of(step), context_of(pass));
  }

 private:
  static at::Tensor time_of(const StepPlace& step) { return at::full({1}, step.time, at::kFloat); }
  const sd3::Context& context_of(Pass pass) const { return pass == Pass::negative ? negative_ : prompt_; }

  sd3::Transformer transformer_;
  sd3::Context prompt_, negative_;
  std::vector<int64_t> skipped_layers_;
};

/// source the scheduler_config.json of stable-diffusion-3-medium and stable-diffusion-3.5-large
schedulers::ModelSchedule published_schedule() {
  schedulers::ModelSchedule schedule;
  schedule.sampler = "euler";
  schedule.prediction = schedulers::Prediction::flow;
  schedule.shift = 3.0;
  return schedule;
}

/// SD3-medium, SD3.5-medium and -large: two CLIPs and, where it is there, T5.
class Sd3Model final : public ImageModel {
 public:
  Sd3Model(ModelParts found, Need need) : ImageModel(std::move(found)) {
    if (need == Need::render) {
      const PartFile& part = add_network(Part::denoiser).part;
      config_ = sd3::transformer_config(*part.file, part.config);
      facts_.variant = sd3::variant_of(config_);
    }
    if (need != Need::text) plan_vae(autoencoder_kl::LatentSpace::sd3, need == Need::render ? config_.in_channels : 0);
    if (need != Need::vae) plan_texts();
    if (need == Need::render) plan_render();
  }

  std::vector<EncodedPrompt> encode_prompts(const std::vector<std::string>& prompts, const RenderSettings& settings,
                                            const Compute& compute, Observer& observer) const override {
    const std::vector<text::Prompt> read = read_prompts(prompts, settings);
    const auto tokens = chunked_for({&clip_l_, &clip_g_}, read);
    const auto l = clip_l_.encode(tokens[0], clip::Reader::sd3, settings.clip_skip, compute, observer);
    const auto g = clip_g_.encode(tokens[1], clip::Reader::sd3, settings.clip_skip, compute, observer);
    std::vector<EncodedPrompt> t5(prompts.size());
    if (has_t5_) t5 = t5_.encode(read, kT5Tokens, compute, observer);
    std::vector<EncodedPrompt> result;
    for (size_t i = 0; i < prompts.size(); ++i) {
      const int64_t width = config_.joint_attention_dim;
      const at::Tensor both = at::cat({l[i].states, g[i].states}, 2);  // [1, 77 n, E]
      const at::Tensor padded = at::constant_pad_nd(both, {0, width - both.size(2)});
      // Without T5 the network sees zeros where its tokens would stand, as it did for a part of its training.
      const at::Tensor more = has_t5_ ? t5[i].embedding.tokens : at::zeros({1, kT5Tokens, width}, both.options());
      EncodedPrompt& prompt = result.emplace_back();
      prompt.embedding = {at::cat({padded, more}, 1), at::cat({l[i].pooled, g[i].pooled}, 1)};
      prompt.lost = t5[i].lost;
      for (const auto& row : tokens[0][i].rows) prompt.tokens += static_cast<int64_t>(row.used);
    }
    return result;
  }

  /// source stable-diffusion-3.5 sd3_infer.py@4e484e0 (SD3.5-medium)
  std::vector<int64_t> skippable_layers() const override { return {7, 8, 9}; }

  std::unique_ptr<Denoiser> load_denoiser(const Compute& compute) const override {
    return std::make_unique<Sd3Denoiser>(
        sd3::load_transformer(network(Part::denoiser).file(), config_, compute, network(Part::denoiser).lora));
  }

  MemoryEstimate estimate_memory(const RenderSettings& settings, const Compute& compute, int64_t,
                                 int64_t tile) const override {
    MemoryEstimate estimate = estimate_shared(settings, compute, tile);
    constexpr int64_t kClipTokens = 77;
    estimate.denoise += transformer_bytes(settings, kClipTokens + kT5Tokens, config_.dim());
    return estimate;
  }

 private:
  void plan_texts() {
    clip_l_ = open_clip(Part::text_encoder);
    clip_g_ = open_clip(Part::text_encoder_2);
    has_t5_ = parts().has(Part::t5_encoder);
    if (has_t5_) t5_ = open_t5();
  }

  void plan_render() {
    facts_.multiple = facts_.stride * config_.patch_size;
    const auto both = clip_l_.config().hidden_size + clip_g_.config().hidden_size;
    require(both <= config_.joint_attention_dim, ErrorKind::config, "the text encoders have ", both,
            " channels together, the diffusion model takes at most ", config_.joint_attention_dim,
            "; hint: CLIP-L by --clip-l and OpenCLIP bigG by --clip-g");
    if (has_t5_) {
      require_fit(Part::t5_encoder, t5_.config().d_model, config_.joint_attention_dim, "channels",
                  "T5-XXL, by --t5xxl");
    }
    add_tiny_vae();
    const auto place = weights::TextPlace::among_others;
    match_loras(Part::denoiser, sd3::lora_names());
    match_loras(Part::text_encoder, clip::lora_names(1, place));
    match_loras(Part::text_encoder_2, clip::lora_names(2, place));
    if (has_t5_) match_loras(Part::t5_encoder, t5::lora_names(3, place));
    require_matched_loras();
    plan_schedule(published_schedule());
    defaults_ = {28, 7.0, 0, config_.sample_size * facts_.stride};
  }

  sd3::TransformerConfig config_;
  ClipText clip_l_, clip_g_;
  T5Text t5_;
  bool has_t5_ = false;
};

}  // namespace

std::shared_ptr<Model> open_sd3(ModelParts parts, Need need) {
  return std::make_shared<Sd3Model>(std::move(parts), need);
}

std::vector<Part> sd3_parts(const ModelParts& parts, Need need) {
  if (need == Need::vae) return {Part::vae};
  std::vector<Part> wanted{Part::text_encoder, Part::text_encoder_2};
  if (parts.has(Part::t5_encoder)) wanted.push_back(Part::t5_encoder);  // for its tokenizer
  if (need == Need::render) wanted.insert(wanted.begin(), {Part::denoiser, Part::vae});
  return wanted;
}

}  // namespace keyflow::pipeline
