#include "models/sd3/variant.h"

namespace keyflow::sd3 {

std::string variant_of(const TransformerConfig& config) {
  constexpr int64_t kMedium = 1536, kLarge = 2432;
  const std::string line = config.qk_norm ? "SD3.5" : "SD3";
  if (config.dim() == kMedium) return line + "-medium";
  if (config.dim() == kLarge) return line + "-large";
  return line + " of width " + std::to_string(config.dim());
}

}  // namespace keyflow::sd3
