#pragma once
#include <cstdint>

#include "weights/lora_names.h"

namespace keyflow::clip {

/// LoRAs speak of a text encoder in transformers' spelling (with "text_model." or, since its version 5, without), some
/// in OpenCLIP's.
///
/// number  of the encoder in the model, from 1: CLIP-L is the first, CLIP-G the second of SDXL and SD3
weights::LoraNames lora_names(int64_t number, weights::TextPlace place);

}  // namespace keyflow::clip
