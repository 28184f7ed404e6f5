#pragma once
#include <string>

#include "models/sd3/config.h"

namespace keyflow::sd3 {

/// "SD3-medium", "SD3.5-medium", "SD3.5-large", or "SD3 of width 96"; names of files never count.
std::string variant_of(const TransformerConfig& config);

}  // namespace keyflow::sd3
