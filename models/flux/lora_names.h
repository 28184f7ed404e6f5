#pragma once
#include "weights/lora_names.h"

namespace keyflow::flux {

/// LoRAs speak of the transformer in diffusers' spelling, in Black Forest Labs' (q, k, v and the single blocks' MLP are
/// one layer), or in that of XLabs, which names the attention's processors.
weights::LoraNames lora_names();

}  // namespace keyflow::flux
