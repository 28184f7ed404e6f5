#pragma once
#include <ATen/core/Tensor.h>

#include "models/wan/vae.h"
#include "train/dataset.h"
#include "train/latent_cache.h"
#include "train/small_model.h"

namespace keyflow::train {

struct SampleOptions {
  int64_t clips = 3;    ///< unseen clips, spread evenly; training clips where none is kept aside
  int64_t columns = 5;  ///< frames shown of each, first and last among them
  int64_t steps = 20;
  double shift = 3, guidance_scale = 3;
  uint64_t seed = 1;
};

/// What the model makes as it is. Per clip four rows: the real frames, then made from its caption alone, from its first
/// frame, from its first and last. The captions and conditions are those of the cache; the same options give the same
/// noise, so that sheets of one run can be compared.
///
/// return  [3, rows · H, columns · W] uint8
at::Tensor sample_sheet(const SmallModel& model, const wan::Vae& vae, const Dataset& data, const LatentCache& cache,
                        const SampleOptions& options);

}  // namespace keyflow::train
