#pragma once
#include <functional>

#include "pipeline/render.h"

namespace keyflow::pipeline {

/// What a render needs with VAE tiles of that many pixels, 0 for whole frames.
using TileEstimate = std::function<MemoryEstimate(int64_t tile)>;

/// The VAE tile in pixels that fits into `available` bytes, 0 when whole frames do; the smallest one when none fits.
int64_t choose_tile(const TileEstimate& estimate, const RenderSettings& settings, uint64_t available);

/// The next smaller tile than `tile` (0: than the whole frame); 0 when there is none.
int64_t next_smaller_tile(int64_t tile, const RenderSettings& settings);

/// Throws unless the estimate fits: Error::usage where no machine could hold it (above 2 TiB), else Error::device,
/// with both numbers and smaller settings that fit.
void require_memory(const MemoryEstimate& estimate, const RenderSettings& settings, uint64_t available);

}  // namespace keyflow::pipeline
