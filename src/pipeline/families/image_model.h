#pragma once
#include "pipeline/families/kl_codec.h"
#include "pipeline/families/prompt_text.h"
#include "pipeline/model.h"
#include "schedulers/model_schedule.h"

namespace keyflow::pipeline {

/// What a picture is made with when nobody says otherwise.
struct ImageDefaults {
  int64_t steps = 50;
  double guidance_scale = 7.5;
  double guidance = 0;  ///< told to a distilled network; 0: it is not told any
  int64_t edge = 512;   ///< pixels along a side of the pictures the network was trained on
};

/// What the image families share: a KL autoencoder, a schedule that the model's folder may state, one frame.
class ImageModel : public Model {
 public:
  Habits apply_presets(RenderSettings& settings) override;
  RunSchedule schedule(const RenderSettings& settings, double strength) const override;
  std::unique_ptr<Codec> load_codec(const Compute& compute) const override {
    return vae_.load(network(models::Part::vae), compute);
  }

 protected:
  using Model::Model;

  /// channels  of the denoiser's latents, 0 where there is none to fit
  void plan_vae(autoencoder_kl::LatentSpace space, int64_t channels);
  /// The scheduler_config.json of the model's folder, or `published` for files without one.
  void plan_schedule(schedulers::ModelSchedule published);
  /// A CLIP text encoder with its tokenizer and the words it has been given; T5 with its own.
  ClipText open_clip(models::Part part);
  T5Text open_t5();
  /// Bytes of a transformer at work on a picture and so many tokens of text: streams, branches and their projections.
  uint64_t transformer_bytes(const RenderSettings& settings, int64_t text_tokens, int64_t width) const;
  /// Bytes of converted weights and of the codec, whatever the family; the denoiser's own are added by it.
  MemoryEstimate estimate_shared(const RenderSettings& settings, const Compute& compute, int64_t tile) const;

  const KlFiles& vae() const { return vae_; }

  ImageDefaults defaults_;
  schedulers::ModelSchedule schedule_;

 private:
  KlFiles vae_;
};

}  // namespace keyflow::pipeline
