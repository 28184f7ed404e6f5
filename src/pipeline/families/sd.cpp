#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/zeros_like.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/clip/lora_names.h"
#include "models/sd/load.h"
#include "models/sd/lora_names.h"
#include "models/sd/prediction_type.h"
#include "models/sd/variant.h"
#include "pipeline/families/families.h"
#include "pipeline/families/image_model.h"
#include "pipeline/families/prompt_text.h"

namespace keyflow::pipeline {

using models::Part;
namespace {

/// Aesthetic scores that the refiner is told with the prompt and with the negative one.
/// source diffusers 0.42.1 pipelines/stable_diffusion_xl/pipeline_stable_diffusion_xl_img2img.py
constexpr double kScore = 6.0, kNegativeScore = 2.5;

class SdDenoiser final : public Denoiser {
 public:
  SdDenoiser(sd::UNet unet, sd::Line line, std::vector<sd::ControlNet> nets)
      : unet_(std::move(unet)), line_(line), nets_(std::move(nets)) {}

  void prepare(const Conditioning& conditioning) override {
    controls_ = conditioning.controls;
    hints_.clear();
    for (size_t i = 0; i < nets_.size(); ++i) hints_.push_back(nets_[i].embed(controls_[i].pixels));
    prompt_ = inputs_of(conditioning.prompt, conditioning, kScore);
    if (conditioning.negative.tokens.defined()) {
      negative_ = inputs_of(conditioning.negative, conditioning, kNegativeScore);
    }
  }
  at::Tensor operator()(const at::Tensor& latents, const StepPlace& step, Pass pass) const override {
    const Inputs& inputs = inputs_of(pass);
    const auto control = control_of(latents, step, inputs);
    return unet_(latents.squeeze(2), time_of(step), inputs.text, inputs.added, control ? &*control : nullptr)
        .unsqueeze(2);
  }
  std::string first_non_finite(const at::Tensor& latents, const StepPlace& step, Pass pass) const override {
    const Inputs& inputs = inputs_of(pass);
    const auto control = control_of(latents, step, inputs);
    return unet_.first_non_finite(latents.squeeze(2), time_of(step), inputs.text, inputs.added,
                                  control ? &*control : nullptr);
  }

 private:
  struct Inputs {
    at::Tensor text;  // [1, M, E]
    sd::AddedConditions added;
  };

  static at::Tensor time_of(const StepPlace& step) { return at::full({1}, step.time, at::kFloat); }
  const Inputs& inputs_of(Pass pass) const { return pass == Pass::negative ? negative_ : prompt_; }

  /// The sum of what the ControlNets say that act at this step.
  /// source diffusers 0.42.1 pipelines/controlnet/pipeline_controlnet.py control_guidance_start, control_guidance_end
  std::optional<sd::ControlResiduals> control_of(const at::Tensor& latents, const StepPlace& step,
                                                 const Inputs& inputs) const {
    const auto index = static_cast<double>(step.index), count = static_cast<double>(step.count);
    std::optional<sd::ControlResiduals> sum;
    for (size_t i = 0; i < nets_.size(); ++i) {
      const ControlPicture& control = controls_[i];
      if (index / count < control.start || (index + 1) / count > control.stop) continue;
      // Mask and masked picture of an inpainting network are none of a ControlNet's business.
      const at::Tensor noisy = latents.squeeze(2).narrow(1, 0, unet_.config().out_channels);
      if (!sum) sum.emplace();
      sd::add(*sum, nets_[i](noisy, time_of(step), inputs.text, inputs.added, hints_[i], {.weight = control.strength}));
    }
    return sum;
  }

  Inputs inputs_of(const PromptEmbedding& text, const Conditioning& conditioning, double score) const {
    Inputs inputs{text.tokens, {}};
    const auto width = static_cast<double>(conditioning.width), height = static_cast<double>(conditioning.height);
    if (line_ == sd::Line::sdxl || line_ == sd::Line::refiner) {
      // Size of the original, corner of the crop, then size of the target or a score of its beauty.
      std::vector<double> ids{height, width, 0, 0, height, width};
      if (line_ == sd::Line::refiner) ids = {height, width, 0, 0, score};
      inputs.added.pooled = text.pooled;
      inputs.added.time_ids = at::tensor(ids, at::kFloat).unsqueeze(0);  // [1, K]
    }
    if (unet_.config().time_cond_proj_dim > 0) inputs.added.guidance = at::full({1}, conditioning.guidance, at::kFloat);
    return inputs;
  }

  sd::UNet unet_;
  sd::Line line_;
  std::vector<sd::ControlNet> nets_;
  std::vector<ControlPicture> controls_;
  std::vector<at::Tensor> hints_;
  Inputs prompt_, negative_;
};

/// How the published models of a line are sampled.
/// source the scheduler_config.json of stable-diffusion-v1-5, stable-diffusion-2-1 and stable-diffusion-xl-base-1.0
schedulers::ModelSchedule published_schedule(sd::Line line, const sd::Prediction& prediction) {
  schedulers::ModelSchedule schedule;
  schedule.sampler = line == sd::Line::sd1 ? "pndm" : line == sd::Line::sd2 ? "ddim" : "euler";
  schedule.prediction = prediction.type == sd::PredictionType::epsilon ? schedulers::Prediction::epsilon
                                                                       : schedulers::Prediction::velocity;
  schedule.betas = {schedulers::BetaLaw::scaled_linear, 0.00085, 0.012, prediction.zero_terminal_snr};
  schedule.times = schedulers::TimeSpacing::leading;
  schedule.steps_offset = 1;
  schedule.set_alpha_to_one = false;
  if (line == sd::Line::sdxl || line == sd::Line::refiner) schedule.ays = schedulers::NamedList::ays_sdxl;
  return schedule;
}

/// Stable Diffusion 1, 2 and XL, with and without inpainting input, and XL's refiner.
class SdModel final : public ImageModel {
 public:
  SdModel(ModelParts found, Need need) : ImageModel(std::move(found)) {
    const bool has_denoiser = parts().has(Part::denoiser);
    if (has_denoiser) {
      const PartFile& part = add_network(Part::denoiser).part;
      unet_config_ = sd::unet_config(*part.file, part.config);
      variant_ = sd::variant_of(unet_config_);
      facts_.variant = sd::name_of(variant_);
    }
    const bool is_xl = variant_.line == sd::Line::sdxl || variant_.line == sd::Line::refiner;
    const auto space = is_xl ? autoencoder_kl::LatentSpace::sdxl : autoencoder_kl::LatentSpace::sd;
    if (need != Need::text) plan_vae(space, has_denoiser ? unet_config_.out_channels : 0);
    if (need != Need::vae) plan_texts();
    if (need == Need::render) plan_render();
  }

  std::vector<EncodedPrompt> encode_prompts(const std::vector<std::string>& prompts, const RenderSettings& settings,
                                            const Compute& compute, Observer& observer) const override {
    const std::vector<text::Prompt> read = read_prompts(prompts, settings);
    std::vector<const ClipText*> encoders;
    for (const auto& encoder : texts_) encoders.push_back(&encoder);
    const auto tokens = chunked_for(encoders, read);
    std::vector<std::vector<clip::PromptText>> encoded;  // [encoder][prompt]
    for (size_t e = 0; e < texts_.size(); ++e) {
      encoded.push_back(texts_[e].encode(tokens[e], reader(), settings.clip_skip, compute, observer));
    }
    std::vector<EncodedPrompt> result;
    for (size_t i = 0; i < prompts.size(); ++i) {
      std::vector<at::Tensor> states;
      for (const auto& encoder : encoded) states.push_back(encoder[i].states);
      EncodedPrompt& prompt = result.emplace_back();
      prompt.embedding = {at::cat(states, 2), encoded.back()[i].pooled};  // [1, 77 n, E], [1, P]
      for (const auto& row : tokens.front()[i].rows) prompt.tokens += static_cast<int64_t>(row.used);
      const bool is_negative = i > 0;
      if (is_negative && prompts[i].empty() && settings.empty_negative == "zeros") {
        prompt.embedding = {at::zeros_like(prompt.embedding.tokens), at::zeros_like(prompt.embedding.pooled)};
      }
    }
    return result;
  }

  Habits apply_presets(RenderSettings& settings) override {
    const Habits habits = ImageModel::apply_presets(settings);
    require(!facts_.guidance_is_input || settings.guidance_scale <= 1, ErrorKind::config, "guidance_scale ",
            settings.guidance_scale, ": ", facts_.variant,
            " is told its guidance and sees no negative prompt; hint: --guidance ", settings.guidance_scale);
    apply_json(settings, {{"empty_negative", zero_negative_ ? "zeros" : "text"}}, Origin::model, facts_.variant);
    return habits;
  }

  at::Tensor masked_channels(const at::Tensor& masked, const at::Tensor& mask) const override {
    const at::Tensor small = at::upsample_nearest2d(mask, {masked.size(3), masked.size(4)});
    return at::cat({small.unsqueeze(2), masked}, 1);
  }

  std::unique_ptr<Denoiser> load_denoiser(const Compute& compute) const override {
    std::vector<sd::ControlNet> nets;
    for (size_t i = 0; i < control_nets().size(); ++i) {
      nets.push_back(sd::load_control_net(control_nets()[i].file(), control_configs_[i], compute));
    }
    return std::make_unique<SdDenoiser>(
        sd::load_unet(network(Part::denoiser).file(), unet_config_, compute, network(Part::denoiser).lora),
        variant_.line, std::move(nets));
  }

  MemoryEstimate estimate_memory(const RenderSettings& settings, const Compute& compute, int64_t,
                                 int64_t tile) const override {
    MemoryEstimate estimate = estimate_shared(settings, compute, tile);
    const double positions = static_cast<double>(settings.width / facts_.stride * (settings.height / facts_.stride));
    // The widest stretch of the way up: skip connections of the finest level and maps of twice its width.
    const double maps = 24;
    estimate.denoise += static_cast<uint64_t>(positions * static_cast<double>(unet_config_.block_out_channels.front()) *
                                              static_cast<double>(c10::elementSize(compute.conv2d)) * maps);
    return estimate;
  }

 private:
  clip::Reader reader() const {
    return variant_.line == sd::Line::sd1   ? clip::Reader::sd1
           : variant_.line == sd::Line::sd2 ? clip::Reader::sd2
                                            : clip::Reader::sdxl;
  }

  void plan_texts() {
    for (const Part part : {Part::text_encoder, Part::text_encoder_2}) {
      if (parts().has(part)) texts_.push_back(open_clip(part));
    }
  }

  void plan_control_nets() {
    add_control_nets();
    for (const auto& net : control_nets()) {
      const sd::ControlNetConfig config = sd::control_net_config(*net.file(), net.part.config);
      const sd::UNetConfig& encoder = config.encoder;
      require(encoder.block_out_channels == unet_config_.block_out_channels &&
                  encoder.cross_attention_dim == unet_config_.cross_attention_dim &&
                  encoder.transformer_layers == unet_config_.transformer_layers,
              ErrorKind::config, "the ControlNet ", printable(net.file()->path().string(), 400), " is one for ",
              sd::name_of(sd::variant_of(encoder)), ", the U-Net is ", facts_.variant,
              "; hint: a ControlNet that was trained with this model");
      control_configs_.push_back(config);
    }
  }

  void plan_render() {
    require(variant_.input != sd::Input::edit, ErrorKind::unsupported, facts_.variant,
            ": a U-Net that edits pictures (InstructPix2Pix): expected one of 4 or 9 channels");
    facts_.takes_masked_picture = variant_.input == sd::Input::inpaint;
    facts_.guidance_is_input = unet_config_.time_cond_proj_dim > 0;
    plan_control_nets();
    match_loras(Part::denoiser, sd::lora_names(unet_config_));
    const auto place = texts_.size() > 1 ? weights::TextPlace::among_others : weights::TextPlace::only;
    if (parts().has(Part::text_encoder)) match_loras(Part::text_encoder, clip::lora_names(1, place));
    if (parts().has(Part::text_encoder_2)) match_loras(Part::text_encoder_2, clip::lora_names(2, place));
    require_matched_loras();
    int64_t width = 0;
    for (const auto& encoder : texts_) width += encoder.config().hidden_size;
    require_fit(parts().has(Part::text_encoder) ? Part::text_encoder : Part::text_encoder_2, width,
                unet_config_.cross_attention_dim, "channels (of all text encoders)",
                "the text encoders the checkpoint was published with, by --clip-l and --clip-g");
    add_tiny_vae();
    plan_schedule(published_schedule(variant_.line, sd::prediction_of(*network(Part::denoiser).file(), unet_config_)));
    const bool is_xl = variant_.line == sd::Line::sdxl;
    const double usual = is_xl || variant_.line == sd::Line::refiner ? 5.0 : 7.5;
    defaults_ = {facts_.guidance_is_input ? 4 : 50, facts_.guidance_is_input ? 1.0 : usual,
                 facts_.guidance_is_input ? 8.5 : 0, unet_config_.sample_size * facts_.stride};
    zero_negative_ = is_xl;
    const std::filesystem::path index = parts().folder / "model_index.json";
    if (parts().folder.empty() || !std::filesystem::exists(index)) return;
    const nlohmann::json stated = read_json(index);
    const auto found = stated.find("force_zeros_for_empty_prompt");
    if (found != stated.end() && found->is_boolean()) zero_negative_ = found->get<bool>();
  }

  sd::UNetConfig unet_config_;
  sd::Variant variant_;
  std::vector<sd::ControlNetConfig> control_configs_;
  std::vector<ClipText> texts_;
  bool zero_negative_ = false;
};

}  // namespace

std::shared_ptr<Model> open_sd(ModelParts parts, Need need) {
  return std::make_shared<SdModel>(std::move(parts), need);
}

std::vector<Part> sd_parts(const ModelParts& parts, Need need) {
  if (need == Need::vae) return {Part::vae};
  std::vector<Part> wanted;
  if (need == Need::render) wanted = {Part::denoiser, Part::vae};
  const auto denoiser = parts.parts.find(Part::denoiser);
  if (denoiser == parts.parts.end()) {
    wanted.push_back(parts.has(Part::text_encoder_2) ? Part::text_encoder_2 : Part::text_encoder);
    return wanted;
  }
  const sd::Line line = sd::variant_of(sd::unet_config(*denoiser->second.file, denoiser->second.config)).line;
  // The refiner is published with the second encoder alone; as a single file that is its only one.
  if (line == sd::Line::refiner) {
    wanted.push_back(parts.has(Part::text_encoder_2) ? Part::text_encoder_2 : Part::text_encoder);
    return wanted;
  }
  wanted.push_back(Part::text_encoder);
  if (line == sd::Line::sdxl) wanted.push_back(Part::text_encoder_2);
  return wanted;
}

}  // namespace keyflow::pipeline
