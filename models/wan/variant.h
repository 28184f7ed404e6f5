#pragma once
#include <string>

#include "models/wan/config.h"

namespace keyflow::wan {

/// What a transformer can be asked, as its sizes show; names of files never count.
struct Variant {
  std::string name;                 ///< "Wan2.1-FLF2V-14B", or "Wan FLF2V of width 96"
  bool takes_keyframes = false;     ///< mask and condition latents are among its inputs
  int64_t picture_slots = 0;        ///< pictures whose tokens it attends to: none, 1 (I2V), 2 (FLF2V)
  bool keyframes_optional = false;  ///< also trained without pictures (Fun-InP, mini)
  bool fun = false;                 ///< of VideoX-Fun, which has habits of its own
};

/// tokens_per_picture  of the picture encoder, 0 without one
/// throws Error::unsupported for inputs of another kind (control videos), Error::config when the tokens do not divide
Variant variant_of(const TransformerConfig& config, int64_t tokens_per_picture);

/// Widths of the published networks.
constexpr int64_t kSmallWidth = 1536, kLargeWidth = 5120;  // 1.3B, 14B

}  // namespace keyflow::wan
