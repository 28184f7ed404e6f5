#pragma once
#include <cstdint>

#include "weights/lora_names.h"

namespace keyflow::t5 {

/// LoRAs speak of the encoder in transformers' spelling, some of umT5 in Wan's.
///
/// number  of the encoder in the model, from 1: 2 in FLUX, 3 in SD3
weights::LoraNames lora_names(int64_t number, weights::TextPlace place);

}  // namespace keyflow::t5
