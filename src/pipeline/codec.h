#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace keyflow::pipeline {

/// A VAE that has been loaded, whatever its family: pixels to the latents that the denoiser sees, and back. Pictures
/// are videos of one frame. Pixels are float32 in about [-1, 1]; latents float32, scaled or normalised.
class Codec {
 public:
  /// Frames [start, start + count) of what is encoded, [1, 3, count, H, W]; asked for in order.
  using FrameSource = std::function<at::Tensor(int64_t start, int64_t count)>;
  /// Takes the next frames of what is decoded, [1, 3, t, H, W].
  using FrameSink = std::function<void(const at::Tensor& frames)>;

  virtual ~Codec() = default;

  /// tile    edge of a tile in pixels, 0 for whole frames
  /// noise   [1, Z, T, h, w] draws the latents from their distribution; undefined takes its mean. Where a family's
  ///         latents are always the mean, it is not read.
  /// return  [1, Z, T, h, w]
  virtual at::Tensor encode(int64_t frames, const FrameSource& source, int64_t tile,
                            const at::Tensor& noise = {}) const = 0;
  /// latents [1, Z, T, h, w]
  virtual void decode(const at::Tensor& latents, const FrameSink& sink, int64_t tile) const = 0;
};

}  // namespace keyflow::pipeline
