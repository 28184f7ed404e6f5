#pragma once
#include "weights/lora_names.h"

namespace keyflow::sd3 {

/// LoRAs speak of the transformer in diffusers' spelling or Stability's.
weights::LoraNames lora_names();

}  // namespace keyflow::sd3
