#pragma once
#include <string>

#include "models/flux/config.h"

namespace keyflow::flux {

/// "FLUX.1-schnell", "FLUX.1-dev", "FLUX.1-Fill", or "FLUX of width 96"; names of files never count.
std::string variant_of(const TransformerConfig& config);

/// True for the network that is given the masked picture and the mask beside the noisy latents.
/// Throws Error::unsupported for inputs of yet another kind.
bool is_fill(const TransformerConfig& config);

}  // namespace keyflow::flux
