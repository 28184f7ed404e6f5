#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "models/autoencoder_kl/config.h"
#include "models/autoencoder_kl/decoder.h"
#include "models/autoencoder_kl/encoder.h"
#include "weights/tensor_file.h"

namespace keyflow::autoencoder_kl {

/// 0 works on the whole picture. Else on bands of tile² positions: about a third of the memory for half as much time
/// again, and the same picture.
struct Tiling {
  int64_t tile = 0;
};

/// The normal distribution of a picture's latents, not scaled.
struct Posterior {
  at::Tensor mean, logvar;  ///< [B, Z, h, w] float32; logvar within [-30, 20]
  at::Tensor mode() const { return mean; }
  /// noise [B, Z, h, w] float32, standard normal
  at::Tensor sample(const at::Tensor& noise) const;
};

/// The KL autoencoder of Stable Diffusion 1 to 3.5, XL and FLUX.1. Pixels [B, 3, H, W] in [-1, 1], H and W multiples of
/// config().stride(); latents [B, Z, H / stride, W / stride].
///
/// source latent-diffusion ldm/models/autoencoder.py@a506df5 AutoencoderKL; diffusers AutoencoderKL (0.42.1)
class AutoencoderKl {
 public:
  /// Asks `w` for the weights by diffusers' names; keys.h maps other spellings.
  AutoencoderKl(const weights::Scope& w, const AutoencoderConfig& config);

  const AutoencoderConfig& config() const { return config_; }

  /// throws Error::shape for sizes that are not multiples of the stride
  Posterior encode(const at::Tensor& pixels, const Tiling& tiling = {}) const;
  /// latents not scaled; return [B, 3, H, W] float32, not clamped
  at::Tensor decode(const at::Tensor& latents, const Tiling& tiling = {}) const;

  /// Posterior's latents -> what the denoiser sees, and back.
  at::Tensor scale(const at::Tensor& latents) const;
  at::Tensor unscale(const at::Tensor& latents) const;

 private:
  AutoencoderConfig config_;
  Encoder encoder;
  Decoder decoder;
  std::optional<layers::Conv2d> quant_conv, post_quant_conv;
};

/// The configuration of a checkpoint: what its tensors show, then scaling and shift of `space`, then what the
/// config.json beside it states.
///
/// config_json  empty for none
/// throws       Error::config, Error::weights
AutoencoderConfig autoencoder_config(const weights::TensorFile& file, LatentSpace space,
                                     const std::filesystem::path& config_json = {});

/// Plans the network, compares it with the file's header, and builds it on the file's own memory. With force_upcast,
/// float16 convolutions are computed in float32.
///
/// throws Error::weights listing every missing, unexpected and misshapen tensor
AutoencoderKl load_autoencoder(const std::shared_ptr<const weights::TensorFile>& file, const AutoencoderConfig& config,
                               const Compute& compute);

}  // namespace keyflow::autoencoder_kl
