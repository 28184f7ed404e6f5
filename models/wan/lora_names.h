#pragma once
#include "weights/lora_names.h"

namespace keyflow::wan {

/// LoRAs speak of the transformer in Wan's own spelling or diffusers'.
weights::LoraNames lora_names();

}  // namespace keyflow::wan
