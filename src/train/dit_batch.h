#pragma once
#include <ATen/core/Tensor.h>

#include <random>

#include "train/dataset.h"
#include "train/dit_trainer.h"
#include "train/latent_cache.h"

namespace keyflow::train {

/// Samples side by side: what one step of training, or one pass of sampling, is made of.
struct Batch {
  at::Tensor latents;    ///< [B, Z, T', h, w] float32, without noise
  at::Tensor mask;       ///< [B, 4, T', h, w] float32
  at::Tensor condition;  ///< [B, Z, T', h, w] float32
  at::Tensor ids;        ///< [B, L] int64
  at::Tensor pictures;   ///< [B, 2, 3, H, W] float32 in [-1, 1], undefined in a batch of pictures
  at::Tensor present;    ///< [B, 2] float32

  Batch to(at::Device device) const;
};

/// Which of a clip's cached conditions a sample has; the first three are these.
enum Condition : int64_t { kNoCondition = -1, kFirst = 0, kLast = 1, kFirstAndLast = 2 };

/// Clip n with one of its conditions, as a batch of one. Without `pictures` the picture tokens are left out though
/// frames are given.
///
/// ids  [L] int64
Batch clip_sample(const Dataset& data, const LatentCache& cache, int64_t n, int64_t condition, const at::Tensor& ids,
                  bool pictures = true);

/// The empty prompt, shaped as `ids`: the end token alone.
at::Tensor empty_prompt(const at::Tensor& ids);

/// Random clips of `among` with a random task and wording each; random pictures of all.
Batch draw_clips(const Dataset& data, const LatentCache& cache, const std::vector<int64_t>& among,
                 const DitTraining& options, std::mt19937_64& random);
Batch draw_pictures(const Dataset& data, const LatentCache& cache, const DitTraining& options, std::mt19937_64& random);

}  // namespace keyflow::train
