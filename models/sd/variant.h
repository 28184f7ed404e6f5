#pragma once
#include <string>

#include "models/sd/config.h"

namespace keyflow::sd {

/// Which model line a U-Net belongs to: it decides text encoders, latent scaling and added conditions.
enum class Line { sd1, sd2, sdxl, refiner };

/// What the latents come with.
enum class Input {
  plain,    ///< nothing: 4 channels
  inpaint,  ///< then the mask (1, where to paint), then the masked picture's latents: 9 channels
  edit,     ///< then the latents of the picture to edit (InstructPix2Pix): 8 channels
};

struct Variant {
  Line line = Line::sd1;
  Input input = Input::plain;
};

/// Found by sizes: added conditions tell SDXL, with five numbers beside a text of one encoder the refiner (six beside
/// two encoders is the base); linear projections tell SD2.
/// Throws Error::unsupported for another number of channels.
Variant variant_of(const UNetConfig& config);

/// "SD1", "SD2 inpainting", "SDXL refiner", ...
std::string name_of(const Variant& variant);

}  // namespace keyflow::sd
