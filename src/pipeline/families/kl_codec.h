#pragma once
#include "models/autoencoder_kl/autoencoder.h"
#include "pipeline/model.h"

namespace keyflow::pipeline {

/// The KL autoencoder of an image family, planned.
struct KlFiles {
  autoencoder_kl::AutoencoderConfig config;

  /// Configures the VAE that was found, and says in `facts` what follows from it.
  static KlFiles open(const Network& network, autoencoder_kl::LatentSpace space, ModelFacts& facts);
  std::unique_ptr<Codec> load(const Network& network, const Compute& compute) const;
  /// Bytes while decoding or encoding pictures of so many pixels.
  double bytes(double pixels, int64_t tile, const Compute& compute) const;
};

}  // namespace keyflow::pipeline
