#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "models/esrgan/network.h"

namespace keyflow::esrgan {

/// A picture cut into tiles, each of which the network sees with a margin of its surroundings, so that no more memory
/// is needed than one tile takes. A pixel of the result comes from one tile alone.
///
/// Where the margin is the network's reach (see Config::reach), the result is that of the whole picture but for the
/// order of sums. SRVGG reaches 18 or 34 pixels; RRDB with 23 blocks 350, of which all but the nearest count for
/// little.
struct Tiling {
  int64_t tile = 0;    ///< pixels of the picture along an edge, without the margin; 0 is the whole picture
  int64_t margin = 0;  ///< pixels on each side
};

/// `tile` with the margin that suits the network: its reach, but for RRDB not more than 32 pixels.
Tiling tiling_for(const Config& config, int64_t tile);

/// How many tiles a picture of this size makes.
int64_t count_tiles(int64_t height, int64_t width, const Config& config, const Tiling& tiling);

/// A tile of the result and the place of its first pixel there.
using TakeTile = std::function<void(const at::Tensor& tile, int64_t top, int64_t left)>;

/// rgb      [B, 3, H, W] float32 in [0, 1]
/// take     gets each tile [B, 3, h, w] of the result, row by row
/// throws   Error::usage for a negative size, Error::shape, and whatever `take` throws
void upscale_in_tiles(const Network& network, const at::Tensor& rgb, const Tiling& tiling, const TakeTile& take);

}  // namespace keyflow::esrgan
