#pragma once
#include <string>

#include "models/esrgan/config.h"

namespace keyflow::esrgan {

/// Checks that an ncnn network computes what the network of this configuration does. Weights alone would not tell: two
/// networks of the same convolutions may join them otherwise.
///
/// text   the `.param` file
/// where  its name, for messages
/// throws Error::weights where it computes something else; Error::unsupported naming the first layer that no upscaler
///        here has
void require_graph(const std::string& text, const std::string& where, const Config& config);

}  // namespace keyflow::esrgan
