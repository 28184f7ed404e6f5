#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/compute.h"
#include "pipeline/codec.h"
#include "pipeline/denoiser.h"
#include "pipeline/network.h"
#include "pipeline/render.h"
#include "schedulers/prediction.h"
#include "schedulers/sampler.h"
#include "text/tokenizer.h"

namespace keyflow::pipeline {

/// Pictures that a picture encoder shows to the network.
struct PictureSlots {
  int64_t count = 0;     ///< none without a picture encoder
  int64_t tokens = 0;    ///< of each
  int64_t channels = 0;  ///< of a token
  int64_t edge = 0;      ///< pixels of the square that the encoder takes
};

/// [1, 3, edge, edge] float32, normalised -> [1, tokens, channels]
using PictureEncoder = std::function<at::Tensor(const at::Tensor& pixels)>;

/// What a model is and takes, as its tensors show; names of files never count.
struct ModelFacts {
  std::string variant;                ///< "Wan2.1-FLF2V-14B", "SDXL"
  int64_t latent_channels = 0;        ///< of what is sampled
  int64_t stride = 8;                 ///< pixels along the edge of a latent position
  int64_t multiple = 8;               ///< width and height are multiples of it
  bool makes_videos = false;          ///< 4n + 1 frames; else single pictures
  bool takes_keyframes = false;       ///< mask and condition latents are among its inputs
  PictureSlots pictures;              ///< whose tokens it attends to
  bool keyframes_optional = false;    ///< also trained without pictures
  bool takes_masked_picture = false;  ///< made for inpainting: masked picture and mask are among its inputs
  bool draws_start_picture = false;  ///< encodes the picture to start from even where nothing of it is left (FLUX Fill)
  bool guidance_is_input = false;    ///< distilled: told a guidance scale instead of guided by it

  /// Frame 0 stands alone, then four to one.
  int64_t latent_frames(int64_t frames) const { return makes_videos ? (frames - 1) / 4 + 1 : 1; }
};

/// What a model was made for.
struct Habits {
  int64_t area = 0;    ///< pixels of a frame without given size
  int64_t frames = 1;  ///< 4n + 1; longer videos are made of segments
};

/// A prompt behind the text encoders.
struct EncodedPrompt {
  PromptEmbedding embedding;
  int64_t tokens = 0;
  std::string lost;  ///< the end of the text that the limit cut off, "" if none
};

/// The list of a run and what the network's output stands for on it.
struct RunSchedule {
  schedulers::Schedule schedule;
  schedulers::Prediction prediction = schedulers::Prediction::flow;
  schedulers::SamplerOptions options;  ///< order and variant that the model's files ask for
};

/// A model whose parts have been found, planned and compared with each other; no weight has been read. One class a
/// family, in families/: all that the pipeline must know to run it.
class Model {
 public:
  virtual ~Model() = default;

  const ModelParts& parts() const { return parts_; }
  const ModelFacts& facts() const { return facts_; }
  /// By the part they are; absent parts are absent.
  const std::map<models::Part, Network>& networks() const { return networks_; }
  const Network& network(models::Part part) const { return networks_.at(part); }
  const std::vector<Network>& control_nets() const { return control_nets_; }
  /// What each LoRA found in this model, for the user.
  std::vector<std::string> lora_notes() const;

  /// Fills in what nobody has set, as the publisher's program does.
  virtual Habits apply_presets(RenderSettings& settings) = 0;

  /// strength  the share of the steps that is done, where the run starts from given latents; else 1
  virtual RunSchedule schedule(const RenderSettings& settings, double strength) const = 0;

  /// Loads the text encoders, one after the other, and frees them.
  /// throws Error::usage for text that is not UTF-8, Error::numeric when an embedding is not finite
  virtual std::vector<EncodedPrompt> encode_prompts(const std::vector<std::string>& prompts,
                                                    const RenderSettings& settings, const Compute& compute,
                                                    Observer& observer) const = 0;

  /// The channels beside the noisy latents of a network that was made for inpainting.
  ///
  /// masked  [1, Z, 1, h, w] latents of the picture without what the mask covers
  /// mask    [1, 1, H, W] pixels, 1 where something new is made
  /// return  [1, K, 1, h, w]
  virtual at::Tensor masked_channels(const at::Tensor& masked, const at::Tensor& mask) const;
  /// Layers that skip-layer guidance leaves out when nobody names any; none where the family does not know it.
  virtual std::vector<int64_t> skippable_layers() const { return {}; }
  /// Only where facts().pictures has slots.
  virtual PictureEncoder load_picture_encoder(const Compute& compute) const;
  virtual std::unique_ptr<Denoiser> load_denoiser(const Compute& compute) const = 0;
  virtual std::unique_ptr<Codec> load_codec(const Compute& compute) const = 0;
  /// The tiny autoencoder, which only decodes. Only where it is among the networks.
  std::unique_ptr<Codec> load_tiny_codec(const Compute& compute) const;

  /// Bytes each phase will hold at its peak, from the sizes alone; weights count where they are converted, not where
  /// they stay mapped. Meant to be above what is measured, by less than a half.
  virtual MemoryEstimate estimate_memory(const RenderSettings& settings, const Compute& compute,
                                         int64_t longest_segment, int64_t tile) const = 0;

 protected:
  explicit Model(ModelParts parts) : parts_(std::move(parts)) {}

  /// Matches the LoRAs with a network, which must be there.
  void match_loras(models::Part part, const weights::LoraNames& names);
  /// After all networks: throws Error::weights for a LoRA of which none took anything.
  void require_matched_loras();
  /// plan_network of a tiny autoencoder if there is one, and its fit to the latents.
  void add_tiny_vae();
  /// plan_network of all ControlNets; without ones for other families (Error::config).
  void add_control_nets();
  /// plan_network of a part that was found.
  const Network& add_network(models::Part part);
  /// The tokenizer of a text encoder, whose ids that has.
  std::shared_ptr<const text::Tokenizer> open_tokenizer_of(models::Part part, int64_t vocabulary) const;
  /// Numbers of one part that another part repeats: Error::config with both.
  void require_fit(models::Part part, int64_t has, int64_t wants, const char* of, const std::string& hint) const;

  ModelFacts facts_;

 private:
  ModelParts parts_;
  std::map<models::Part, Network> networks_;
  std::vector<Network> control_nets_;
};

/// A part that a model needs and that was not found.
struct AbsentPart {
  std::string name, option;  ///< "VAE", "--vae"
};
std::vector<AbsentPart> absent_parts(const ModelParts& parts, Need need);

/// find_parts, then the family of what was found.
/// throws Error::config naming every missing part, or the two numbers that do not fit; Error::weights with all names
/// and shapes that do not fit a network; Error::unsupported
std::shared_ptr<Model> open_model(const RenderSettings& settings, Need need);

/// Bytes of the weights of a network that are not left in the mapping, because they are computed in another type.
double converted_bytes(const Network& network, at::ScalarType compute);

}  // namespace keyflow::pipeline
