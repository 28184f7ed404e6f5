#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "models/wan/vae.h"

namespace keyflow::wan {

/// Cuts frames into overlapping tiles, and joins what the network makes of them by linear blending over the overlap:
/// first with the tile above, then with the tile to the left, each already blended itself.
/// source diffusers autoencoder_kl_wan.py@58eb52c, tiled_decode
class TileGrid {
 public:
  enum class Output { latents, pixels };
  /// height, width and the tiling in pixels; `stride` pixels make one latent position.
  TileGrid(int64_t height, int64_t width, const Tiling& tiling, int64_t stride, Output output);

  size_t size() const { return static_cast<size_t>(rows_ * columns_); }
  /// x [B, C, T, H, W] in pixels (Output::latents) or latents (Output::pixels); `network` maps one tile.
  at::Tensor run(const at::Tensor& x,
                 const std::function<at::Tensor(const at::Tensor& tile, size_t index)>& network) const;

 private:
  int64_t rows_ = 1, columns_ = 1;
  int64_t in_tile_, in_step_, out_tile_, out_step_, out_height_, out_width_;
};

}  // namespace keyflow::wan
