#include "models/sd/lora_names.h"

#include "models/sd/keys.h"

namespace keyflow::sd {

weights::LoraNames lora_names(const UNetConfig& config) {
  weights::LoraNames names{"U-Net", false, weights::denoiser_prefixes(), {}};
  for (const Spelling spelling : {Spelling::diffusers, Spelling::original}) {
    names.spellings.push_back(unet_keys(config, spelling).rename());
  }
  return names;
}

}  // namespace keyflow::sd
