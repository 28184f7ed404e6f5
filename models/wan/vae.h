#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "models/wan/vae_config.h"
#include "weights/plan.h"

namespace keyflow::wan {

class Block;
struct Stream;

/// Pixels per tile edge; 0 works on the whole frame. Tiles overlap by `overlap` pixels and are blended linearly there.
struct Tiling {
  int64_t tile = 0;
  int64_t overlap = 64;
};

/// The Wan 2.1 VAE. Weights carry the official names (encoder.downsamples.0.residual.2.weight ...).
/// Pixels [B, 3, T, H, W] in [-1, 1] with T = 4n+1, latents [B, Z, n+1, H/8, W/8] normalised by the published mean and
/// std. source Wan2.1 wan/modules/vae.py@9737cba
class Vae {
 public:
  Vae(const weights::Scope& w, const VaeConfig& config);
  ~Vae();
  Vae(Vae&&) noexcept;

  const VaeConfig& config() const { return config_; }

  /// Frames [start, start + count) as [B, 3, count, H, W] float32.
  using FrameSource = std::function<at::Tensor(int64_t start, int64_t count)>;
  /// Reads 1, 4, 4, ... frames, so that memory does not grow with their number. Return float32 normalised means;
  /// throws Error::shape unless `frames` is 4n+1 and H, W are multiples of 8.
  at::Tensor encode(int64_t frames, const FrameSource& source, const Tiling& tiling = {}) const;
  at::Tensor encode(const at::Tensor& video, const Tiling& tiling = {}) const;

  /// An encoding under way. A copy goes on from the same frames: clips that begin alike share their beginning.
  class Encoding {
   public:
    explicit Encoding(const Vae& vae) : vae_(&vae) {}
    /// frames [B, 3, 1, H, W] at first, then [B, 3, 4, H, W]; return normalised latents [B, Z, 1, H/8, W/8]
    at::Tensor next(const at::Tensor& frames);

   private:
    const Vae* vae_;
    std::shared_ptr<const Stream> state_;
  };

  /// [B, 3, 1 or 4, H, W] float32 within [-1, 1].
  using FrameSink = std::function<void(const at::Tensor& frames)>;
  /// Hands out the frames of one latent frame at a time.
  void decode(const at::Tensor& latents, const FrameSink& sink, const Tiling& tiling = {}) const;
  at::Tensor decode(const at::Tensor& latents, const Tiling& tiling = {}) const;

  /// The plain twins of the streamed passes, and what training differentiates: the whole sequence at once.
  /// video [B, 3, T, H, W] -> mean and logvar [B, Z, T', h, w] float32, not normalised
  std::pair<at::Tensor, at::Tensor> encode_moments(const at::Tensor& video) const;
  /// latents [B, Z, T', h, w] not normalised -> [B, 3, T, H, W] float32, not clamped
  at::Tensor decode_moments(const at::Tensor& latents) const;

  at::Tensor normalise(const at::Tensor& mean) const;
  at::Tensor denormalise(const at::Tensor& latents) const;

 private:
  struct Network;
  at::Tensor encode_chunk(const at::Tensor& video, Stream* stream) const;
  at::Tensor decode_chunk(const at::Tensor& latents, Stream* stream) const;

  VaeConfig config_;
  std::unique_ptr<Network> network_;
};

/// Official name -> diffusers name.
weights::FileName vae_diffusers_name(const std::string& name, const VaeConfig& config);
/// The renamer for a file of either spelling.
weights::Rename vae_rename(const weights::TensorFile& file, const VaeConfig& config);

}  // namespace keyflow::wan
