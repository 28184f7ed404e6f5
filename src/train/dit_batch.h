#pragma once
#include <ATen/core/Tensor.h>

#include <random>

#include "train/dataset.h"
#include "train/dit_trainer.h"
#include "train/latent_cache.h"

namespace keyflow::train {

/// What one training step is made of.
struct Batch {
  at::Tensor latents;    ///< [B, Z, T', h, w] float32, without noise
  at::Tensor mask;       ///< [B, 4, T', h, w] float32
  at::Tensor condition;  ///< [B, Z, T', h, w] float32
  at::Tensor ids;        ///< [B, L] int64
  at::Tensor pictures;   ///< [B, 2, 3, H, W] float32 in [-1, 1], undefined in a batch of pictures
  at::Tensor present;    ///< [B, 2] float32
};

Batch draw_clips(const Dataset& data, const LatentCache& cache, const DitTraining& options, std::mt19937_64& random);
Batch draw_pictures(const Dataset& data, const LatentCache& cache, const DitTraining& options, std::mt19937_64& random);

}  // namespace keyflow::train
