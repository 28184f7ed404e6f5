#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "pipeline/codec.h"
#include "pipeline/model.h"

namespace keyflow::pipeline {

/// A linear map from a latent position to the mean colour of the pixels it stands for.
struct LatentColours {
  at::Tensor factors;  ///< [Z + 1, 3] float32, the last row added to all; colours in [-1, 1]
};

/// Least squares over colour cards that the VAE encodes: works for any VAE and takes about as long as 16 small frames.
/// stride  pixels along the edge of a latent position
LatentColours fit_latent_colours(const Codec& codec, int64_t stride);

/// All latent frames side by side, a pixel per position, enlarged by a whole factor to at least 96 pixels of height.
///
/// latents  [1, Z, T, H, W] normalised
/// return   [3, H', W'] uint8
at::Tensor preview_picture(const at::Tensor& latents, const LatentColours& colours);

/// The running estimate, [1, Z, T, H, W], as a quick picture [3, H', W'] uint8.
using Previewer = std::function<at::Tensor(const at::Tensor& latents)>;

/// By the model's tiny autoencoder if it has one, else by fitted colours.
Previewer make_previewer(const Model& model, const Compute& compute);

}  // namespace keyflow::pipeline
