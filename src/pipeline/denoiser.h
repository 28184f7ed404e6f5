#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace keyflow::pipeline {

/// What a text becomes.
struct PromptEmbedding {
  at::Tensor tokens;  ///< [1, L, E] float32; undefined for no prompt
  at::Tensor pooled;  ///< [1, P] float32; undefined where the family has no pooled text
};

/// A picture that a ControlNet reads, and how it acts.
struct ControlPicture {
  at::Tensor pixels;  ///< [1, 3, H, W] float32 in [0, 1]
  double strength = 1;
  double start = 0, stop = 1;  ///< shares of the steps between which it acts
};

/// Latents that stay as they are outside a mask.
struct KeptLatents {
  at::Tensor latents, noise;  ///< [1, Z, T, h, w] the clean ones, and what they are noised with
  at::Tensor mask;            ///< [1, 1, 1, h, w], 1 where something new is made
};

/// What steers one segment.
struct Conditioning {
  PromptEmbedding prompt, negative;      ///< negative.tokens undefined: no guidance
  at::Tensor channels;                   ///< [1, K, T, H, W] that the network is given beside the noisy latents
  at::Tensor pictures;                   ///< [1, K, E'] tokens of the picture encoder; undefined for none
  std::vector<ControlPicture> controls;  ///< one for each ControlNet
  at::Tensor initial;                    ///< [1, Z, T, h, w] clean latents to start from; undefined: from noise alone
  std::optional<KeptLatents> kept;
  int64_t later_draws = 0;              ///< of it that came between the first noise and that of the steps
  int64_t draws = 0;                    ///< of the seed's generator that went before the first noise
  int64_t width = 0, height = 0;        ///< pixels of the frame
  double guidance = 0;                  ///< the scale that a distilled network is told
  std::vector<int64_t> skipped_layers;  ///< that Pass::skipped leaves out
};

/// Which of the passes of a step: with the prompt, with the negative one, or with the prompt but without some layers.
enum class Pass { prompt, negative, skipped };

/// Where a step stands.
struct StepPlace {
  double time = 0;  ///< that the network is given, 0 to 1000
  int64_t index = 0, count = 1;
};

/// A denoising network that has been loaded, whatever its family.
class Denoiser {
 public:
  virtual ~Denoiser() = default;

  /// Embeds what does not change over the steps. Throws Error::numeric when an embedding is not finite.
  virtual void prepare(const Conditioning& conditioning) = 0;

  /// latents  [1, C, T, H, W] float32, scaled as the schedule wants it, conditioning channels included
  /// return   [1, Z, T, H, W] float32: what the network predicts (Model::schedule().prediction)
  virtual at::Tensor operator()(const at::Tensor& latents, const StepPlace& step, Pass pass) const = 0;

  /// The first module whose output holds NaN or infinity for these inputs; "" if all is finite.
  virtual std::string first_non_finite(const at::Tensor& latents, const StepPlace& step, Pass pass) const = 0;
};

}  // namespace keyflow::pipeline
