#include "models/flux/variant.h"

#include "core/error.h"

namespace keyflow::flux {

bool is_fill(const TransformerConfig& config) {
  // Latents and those of the masked picture, and 64 channels of mask for each of the four positions of a token.
  const int64_t fill = 2 * config.out_channels + 4 * 64;
  require(config.in_channels == config.out_channels || config.in_channels == fill, ErrorKind::unsupported,
          "FLUX transformer of ", config.in_channels, " input channels: expected ", config.out_channels, " or ", fill,
          " (with masked picture and mask)");
  return config.in_channels == fill;
}

std::string variant_of(const TransformerConfig& config) {
  const std::string kind = is_fill(config) ? "Fill" : config.guidance_embeds ? "dev" : "schnell";
  if (config.dim() == TransformerConfig{}.dim()) return "FLUX.1-" + kind;
  return "FLUX " + kind + " of width " + std::to_string(config.dim());
}

}  // namespace keyflow::flux
