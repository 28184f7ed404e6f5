#include "models/sd/variant.h"

#include "core/error.h"

namespace keyflow::sd {

Variant variant_of(const UNetConfig& config) {
  Variant variant;
  if (config.addition_time_embed_dim == 0) {
    variant.line = config.use_linear_projection ? Line::sd2 : Line::sd1;
  } else {
    // The refiner has one text encoder, whose pooled text is as wide as its tokens, and is told a score beside four
    // sizes.
    const int64_t pooled = config.projection_class_embeddings_input_dim - 5 * config.addition_time_embed_dim;
    variant.line = pooled == config.cross_attention_dim ? Line::refiner : Line::sdxl;
  }
  require(config.out_channels == 4, ErrorKind::unsupported, "unet: out_channels: expected 4, found ",
          config.out_channels);
  switch (config.in_channels) {
    case 4:
      return variant;
    case 8:
      variant.input = Input::edit;
      return variant;
    case 9:
      variant.input = Input::inpaint;
      return variant;
    default:
      fail(ErrorKind::unsupported, "unet: in_channels: expected 4 (text), 9 (inpainting) or 8 (editing), found ",
           config.in_channels);
  }
}

std::string name_of(const Variant& variant) {
  const char* const lines[] = {"SD1", "SD2", "SDXL", "SDXL refiner"};
  const char* const inputs[] = {"", " inpainting", " editing"};
  return std::string(lines[static_cast<int>(variant.line)]) + inputs[static_cast<int>(variant.input)];
}

}  // namespace keyflow::sd
