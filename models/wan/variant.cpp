#include "models/wan/variant.h"

#include "core/error.h"

namespace keyflow::wan {

Variant variant_of(const TransformerConfig& config, int64_t tokens_per_picture) {
  Variant variant;
  const int64_t masked = 2 * config.out_dim + 4;
  require(config.in_dim == config.out_dim || config.in_dim == masked, ErrorKind::unsupported, "transformer of ",
          config.in_dim, " input channels: expected ", config.out_dim, " (noise) or ", masked,
          " (noise, mask and condition latents)");
  variant.takes_keyframes = config.in_dim == masked;
  if (config.image_dim > 0) {
    variant.picture_slots = 1;
    if (config.image_pos_len > 0 && tokens_per_picture > 0) {
      require(config.image_pos_len % tokens_per_picture == 0, ErrorKind::config, "picture encoder of ",
              tokens_per_picture, " tokens a picture: the transformer wants ", config.image_pos_len, " in all");
      variant.picture_slots = config.image_pos_len / tokens_per_picture;
    } else if (config.image_pos_len > 0) {
      variant.picture_slots = 2;
    }
  }
  const std::string kind = !variant.takes_keyframes ? "T2V" : variant.picture_slots == 2 ? "FLF2V" : "I2V";
  variant.fun = variant.takes_keyframes && config.dim == kSmallWidth;
  if (variant.fun) {
    variant.name = "Wan2.1-Fun-1.3B-InP";
    variant.keyframes_optional = true;
  } else if (config.dim == kSmallWidth || config.dim == kLargeWidth) {
    variant.name = "Wan2.1-" + kind + (config.dim == kSmallWidth ? "-1.3B" : "-14B");
  } else {
    variant.name = "Wan " + kind + " of width " + std::to_string(config.dim);
  }
  return variant;
}

}  // namespace keyflow::wan
