#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/clip/vision.h"
#include "models/clip/vision_load.h"
#include "models/t5/encoder.h"
#include "models/t5/lora_names.h"
#include "models/wan/lora_names.h"
#include "models/wan/transformer_load.h"
#include "models/wan/variant.h"
#include "pipeline/families/families.h"
#include "pipeline/families/wan_codec.h"
#include "pipeline/families/wan_memory.h"
#include "pipeline/families/wan_presets.h"
#include "pipeline/precision.h"
#include "schedulers/model_schedule.h"
#include "schedulers/sampler.h"
#include "text/clean.h"
#include "text/prompt_syntax.h"

namespace keyflow::pipeline {

using models::Part;
namespace {

using schedulers::FlowKind;

/// The list of sigmas that a sampler goes with, by the settings' conventions.
FlowKind flow_kind(const RenderSettings& settings) {
  const FlowKind official = schedulers::find_sampler(settings.sampler).flow_kind;
  if (settings.conventions == "official") return official;
  if (official == FlowKind::wan_unipc) return FlowKind::diffusers_unipc;
  return official == FlowKind::wan_dpm ? FlowKind::diffusers_dpm : official;
}

class WanDenoiser final : public Denoiser {
 public:
  explicit WanDenoiser(wan::Transformer transformer) : transformer_(std::move(transformer)) {}

  void prepare(const Conditioning& conditioning) override {
    prompt_ = transformer_.prepare(conditioning.prompt.tokens, conditioning.pictures);
    if (conditioning.negative.tokens.defined()) {
      negative_ = transformer_.with_text(prompt_, conditioning.negative.tokens);
    }
  }
  at::Tensor operator()(const at::Tensor& latents, const StepPlace& step, Pass pass) const override {
    return transformer_(latents, time_of(step), context_of(pass));
  }
  std::string first_non_finite(const at::Tensor& latents, const StepPlace& step, Pass pass) const override {
    return transformer_.first_non_finite(latents, time_of(step), context_of(pass));
  }

 private:
  static at::Tensor time_of(const StepPlace& step) { return at::full({1}, step.time, at::kFloat); }
  const wan::Context& context_of(Pass pass) const { return pass == Pass::negative ? negative_ : prompt_; }

  wan::Transformer transformer_;
  wan::Context prompt_, negative_;
};

/// Wan2.1: umT5, perhaps a picture encoder, a video transformer and a causal VAE.
class WanModel final : public Model {
 public:
  WanModel(ModelParts found, Need need) : Model(std::move(found)) {
    const bool has_denoiser = parts().has(Part::denoiser);
    if (need != Need::text) plan_vae();
    if (need != Need::vae) plan_text();
    if (has_denoiser && need != Need::vae) {
      const PartFile& part = add_network(Part::denoiser).part;
      transformer_config_ = wan::transformer_config(*part.file, part.config);
    }
    if (need == Need::render) plan_render();
  }

  Habits apply_presets(RenderSettings& settings) override {
    return apply_wan_presets(settings, facts_, variant_, transformer_config_, parts());
  }

  RunSchedule schedule(const RenderSettings& settings, double) const override {
    schedulers::ModelSchedule own;
    own.sampler = settings.sampler;
    own.prediction = schedulers::Prediction::flow;
    own.flow_kind = flow_kind(settings);
    own.shift = settings.shift;
    schedulers::ScheduleRequest request;
    request.sampler = settings.sampler;
    request.steps = settings.steps;
    if (settings.schedule != "model") request.schedule = settings.schedule;
    if (settings.eta >= 0) request.eta = settings.eta;
    return {schedulers::make_schedule(own, request), own.prediction, schedulers::sampler_options(own, request)};
  }

  std::vector<EncodedPrompt> encode_prompts(const std::vector<std::string>& prompts, const RenderSettings& settings,
                                            const Compute& compute, Observer& observer) const override {
    std::vector<EncodedPrompt> encoded;
    std::vector<text::PromptLora> loras;  // matched when the model was opened
    std::vector<at::Tensor> ids;          // [1, L] each
    for (const auto& prompt : prompts) {
      const text::Tokens tokens = tokenizer_->encode(
          text::clean_prompt(settings.prompt_syntax == "plain" ? prompt : text::without_loras(prompt, loras)),
          transformer_config_.text_len);
      ids.push_back(at::tensor(tokens.ids, at::kLong).unsqueeze(0));
      encoded.push_back({{}, static_cast<int64_t>(tokens.ids.size()), tokens.lost});
    }
    const Network& text = network(Part::t5_encoder);
    with_fallback(compute, text, "text", observer, "", [&](const Compute& used) {
      const t5::Encoder encoder = t5::load_encoder(text.file(), text_config_, used, text.lora);
      for (size_t i = 0; i < ids.size(); ++i) {
        encoded[i].embedding.tokens = encoder(ids[i]).to(at::kFloat);
        require_finite(encoded[i].embedding.tokens, "text");
      }
    });
    release_pages(text);
    return encoded;
  }

  PictureEncoder load_picture_encoder(const Compute& compute) const override {
    const auto tower = std::make_shared<const clip::VisionTower>(
        clip::load_vision(network(Part::image_encoder).file(), image_config_, compute));
    return [tower](const at::Tensor& pixels) { return (*tower)(pixels); };
  }

  std::unique_ptr<Denoiser> load_denoiser(const Compute& compute) const override {
    return std::make_unique<WanDenoiser>(wan::load_transformer(network(Part::denoiser).file(), transformer_config_,
                                                               compute, network(Part::denoiser).lora));
  }

  std::unique_ptr<Codec> load_codec(const Compute& compute) const override {
    const Network& vae = network(Part::vae);
    weights::FileSource source(vae.file(), vae.rename, compute.device);
    return std::make_unique<WanCodec>(wan::Vae(weights::Scope(source, compute), vae_config_));
  }

  MemoryEstimate estimate_memory(const RenderSettings& settings, const Compute& compute, int64_t longest_segment,
                                 int64_t tile) const override {
    return estimate_wan_memory(transformer_config_, vae_config_, networks(), settings, compute, longest_segment, tile);
  }

 private:
  void plan_vae() {
    const PartFile& part = add_network(Part::vae).part;
    vae_config_ = part.config.empty() ? wan::vae_config_from_tensors(part.file->tensors())
                                      : wan::vae_config_from_json(part.config);
    facts_.latent_channels = vae_config_.z_dim;
    facts_.stride = facts_.multiple = vae_config_.spatial_stride();
    facts_.makes_videos = true;
  }
  void plan_text() {
    const PartFile& part = add_network(Part::t5_encoder).part;
    text_config_ = part.config.empty()
                       ? t5::encoder_config_from_tensors(part.file->tensors())
                       : t5::encoder_config_from_json(read_json(part.config), printable(part.config.string(), 400));
    tokenizer_ = open_tokenizer_of(Part::t5_encoder, text_config_.vocab_size);
  }
  void plan_render() {
    const auto& dit = transformer_config_;
    if (dit.image_dim > 0) {
      const PartFile& part = add_network(Part::image_encoder).part;
      image_config_ = clip::vision_config(*part.file, part.config);
    }
    require_fit(Part::vae, vae_config_.z_dim, dit.out_dim, "latent channels",
                dit.out_dim == 48 ? "the Wan 2.2 VAE" : "the VAE the checkpoint was published with, by --vae");
    require_fit(Part::t5_encoder, text_config_.d_model, dit.text_dim, "channels",
                "the text encoder the checkpoint was published with, by --t5xxl");
    if (dit.image_dim > 0) {
      require_fit(Part::image_encoder, image_config_.hidden_size, dit.image_dim, "channels",
                  "the picture encoder the checkpoint was published with, by --image-encoder");
    }
    match_loras(Part::denoiser, wan::lora_names());
    match_loras(Part::t5_encoder, t5::lora_names(1, weights::TextPlace::only));
    require_matched_loras();
    variant_ = wan::variant_of(dit, dit.image_dim > 0 ? image_config_.tokens() : 0);
    facts_.variant = variant_.name;
    facts_.multiple = facts_.stride * dit.patch_size[1];
    facts_.takes_keyframes = variant_.takes_keyframes;
    facts_.pictures = {variant_.picture_slots, image_config_.tokens(), image_config_.hidden_size,
                       image_config_.image_size};
    facts_.keyframes_optional = variant_.keyframes_optional;
  }

  wan::Variant variant_;
  wan::TransformerConfig transformer_config_;
  t5::EncoderConfig text_config_;
  wan::VaeConfig vae_config_;
  clip::VisionConfig image_config_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
};

}  // namespace

std::shared_ptr<Model> open_wan(ModelParts parts, Need need) {
  return std::make_shared<WanModel>(std::move(parts), need);
}

std::vector<Part> wan_parts(const ModelParts& parts, Need need) {
  if (need == Need::vae) return {Part::vae};
  if (need == Need::text) return {Part::t5_encoder};
  std::vector<Part> wanted{Part::denoiser, Part::vae, Part::t5_encoder};
  const auto denoiser = parts.parts.find(Part::denoiser);
  if (denoiser == parts.parts.end()) return wanted;
  const auto& tensors = denoiser->second.file->tensors();
  if (wan::transformer_config_from_tensors(tensors).image_dim > 0) wanted.push_back(Part::image_encoder);
  return wanted;
}

}  // namespace keyflow::pipeline
