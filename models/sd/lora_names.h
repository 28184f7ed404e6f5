#pragma once
#include "models/sd/config.h"
#include "weights/lora_names.h"

namespace keyflow::sd {

/// LoRAs speak of the U-Net in diffusers' spelling, some of SDXL in the original one.
weights::LoraNames lora_names(const UNetConfig& config);

}  // namespace keyflow::sd
