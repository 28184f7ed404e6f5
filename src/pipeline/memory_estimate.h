#pragma once
#include "core/compute.h"
#include "pipeline/model_files.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

/// Bytes each phase will hold at its peak, from the sizes alone; weights count where they are converted, not where they
/// stay mapped. Meant to be above what is measured, by less than a half.
MemoryEstimate estimate_memory(const ModelFiles& model, const RenderSettings& settings, const Compute& compute,
                               int64_t longest_segment, int64_t tile);

/// The VAE tile in pixels that fits into `available` bytes, 0 when whole frames do; the smallest one when none fits.
int64_t choose_tile(const ModelFiles& model, const RenderSettings& settings, const Compute& compute,
                    int64_t longest_segment, uint64_t available);

/// The next smaller tile than `tile` (0: than the whole frame); 0 when there is none.
int64_t next_smaller_tile(int64_t tile, const RenderSettings& settings);

/// Throws unless the estimate fits: Error::usage where no machine could hold it (above 2 TiB), else Error::device,
/// with both numbers and smaller settings that fit.
void require_memory(const MemoryEstimate& estimate, const RenderSettings& settings, uint64_t available);

}  // namespace keyflow::pipeline
