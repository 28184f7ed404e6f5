#include "models/autoencoder_kl/autoencoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/shape.h"

namespace keyflow::autoencoder_kl {

using weights::Scope;

namespace {

std::optional<layers::Conv2d> pointwise(const Scope& w, int64_t channels, bool present) {
  if (!present) return {};
  return layers::Conv2d(w, channels, channels, {.kernel = 1});
}

BandSize band_size(const Tiling& tiling) {
  require(tiling.tile >= 0 && tiling.tile <= 1 << 20, ErrorKind::usage, "autoencoder: expected a tile of 0 to ",
          1 << 20, " pixels, found ", tiling.tile);
  return {tiling.tile * tiling.tile};
}

}  // namespace

at::Tensor Posterior::sample(const at::Tensor& noise) const {
  require_shape(noise, mean.sizes(), "noise");
  return mean + (logvar * 0.5).exp() * noise;
}

AutoencoderKl::AutoencoderKl(const Scope& w, const AutoencoderConfig& config)
    : config_((config.validate(), config)),
      encoder(w / "encoder", config),
      decoder(w / "decoder", config),
      quant_conv(pointwise(w / "quant_conv", 2 * config.latent_channels, config.use_quant_conv)),
      post_quant_conv(pointwise(w / "post_quant_conv", config.latent_channels, config.use_post_quant_conv)) {}

Posterior AutoencoderKl::encode(const at::Tensor& pixels, const Tiling& tiling) const {
  require_shape(pixels, {-1, config_.in_channels, -1, -1}, "pixels");
  const int64_t stride = config_.stride(), H = pixels.size(2), W = pixels.size(3);
  require(H > 0 && W > 0 && H % stride == 0 && W % stride == 0, ErrorKind::shape,
          "pixels: expected height and width in multiples of ", stride, ", found ", H, " and ", W);
  at::Tensor moments;  // [B, 2 * Z, h, w]
  if (tiling.tile == 0) {
    moments = encoder(pixels);
  } else {
    const at::NoGradGuard no_grad;
    moments = encoder(pixels, band_size(tiling));
  }
  if (quant_conv) moments = (*quant_conv)(moments);
  moments = moments.to(at::kFloat).contiguous();
  const int64_t Z = config_.latent_channels;
  return {moments.narrow(1, 0, Z), moments.narrow(1, Z, Z).clamp(-30, 20)};
}

at::Tensor AutoencoderKl::decode(const at::Tensor& latents, const Tiling& tiling) const {
  require_shape(latents, {-1, config_.latent_channels, -1, -1}, "latents");
  const at::Tensor z = post_quant_conv ? (*post_quant_conv)(latents) : latents;
  if (tiling.tile == 0) return decoder(z).to(at::kFloat).contiguous();
  const at::NoGradGuard no_grad;
  return decoder(z, band_size(tiling)).to(at::kFloat).contiguous();
}

at::Tensor AutoencoderKl::scale(const at::Tensor& latents) const {
  return (latents - config_.shift_factor) * config_.scaling_factor;
}

at::Tensor AutoencoderKl::unscale(const at::Tensor& latents) const {
  return latents / config_.scaling_factor + config_.shift_factor;
}

AutoencoderConfig autoencoder_config(const weights::TensorFile& file, LatentSpace space,
                                     const std::filesystem::path& config_json) {
  const AutoencoderConfig shown = in_latent_space(autoencoder_config_from_tensors(file.tensors()), space);
  if (config_json.empty()) return shown;
  return autoencoder_config_from_json(read_json(config_json), printable(config_json.string(), 400), shown);
}

AutoencoderKl load_autoencoder(const std::shared_ptr<const weights::TensorFile>& file, const AutoencoderConfig& config,
                               const Compute& compute) {
  const AutoencoderKeys keys = autoencoder_keys(file->tensors());
  const auto plan = weights::record([&](const Scope& w) { AutoencoderKl(w, config); });
  plan.require_match(*file,
                     c10::str("the autoencoder of ", config.block_out_channels.size(), " levels and ",
                              config.latent_channels, " latent channels"),
                     keys.rename(), keys.ignore());
  weights::FileSource source(file, keys.rename(), compute.device);
  Compute used = compute;
  if (config.force_upcast && used.conv2d == at::kHalf) used.conv2d = at::kFloat;
  return {Scope(source, used), config};
}

}  // namespace keyflow::autoencoder_kl
