#include "pipeline/families/kl_codec.h"

namespace keyflow::pipeline {
namespace {

using namespace autoencoder_kl;

class KlCodec final : public Codec {
 public:
  explicit KlCodec(AutoencoderKl vae) : vae_(std::move(vae)) {}

  at::Tensor encode(int64_t frames, const FrameSource& source, int64_t tile, const at::Tensor& noise) const override {
    const at::Tensor picture = source(0, frames).squeeze(2);  // [1, 3, H, W]
    const Posterior posterior = vae_.encode(picture, {.tile = tile});
    const at::Tensor latents = noise.defined() ? posterior.sample(noise.squeeze(2)) : posterior.mode();
    return vae_.scale(latents).unsqueeze(2);  // [1, Z, 1, h, w]
  }
  void decode(const at::Tensor& latents, const FrameSink& sink, int64_t tile) const override {
    sink(vae_.decode(vae_.unscale(latents.squeeze(2)), {.tile = tile}).unsqueeze(2));
  }

 private:
  AutoencoderKl vae_;
};

}  // namespace

KlFiles KlFiles::open(const Network& network, LatentSpace space, ModelFacts& facts) {
  KlFiles files{autoencoder_config(*network.file(), space, network.part.config)};
  facts.latent_channels = files.config.latent_channels;
  facts.stride = facts.multiple = files.config.stride();
  return files;
}

std::unique_ptr<Codec> KlFiles::load(const Network& network, const Compute& compute) const {
  return std::make_unique<KlCodec>(load_autoencoder(network.file(), config, compute));
}

double KlFiles::bytes(double pixels, int64_t tile, const Compute& compute) const {
  const auto wide = static_cast<double>(config.block_out_channels.front());
  const auto element = static_cast<double>(c10::elementSize(compute.conv2d));
  // At full size a residual block holds three maps of the first width, and twice that width comes up from below; in
  // bands only the stored maps of the level below count.
  const double maps = tile > 0 ? 3 : 8;
  return pixels * wide * element * maps + pixels * 3 * 4 * 4;
}

}  // namespace keyflow::pipeline
