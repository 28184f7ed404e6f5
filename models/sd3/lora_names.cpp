#include "models/sd3/lora_names.h"

#include "models/sd3/keys.h"

namespace keyflow::sd3 {

weights::LoraNames lora_names() {
  weights::LoraNames names{"transformer", false, weights::denoiser_prefixes(), {}};
  for (const Spelling spelling : {Spelling::diffusers, Spelling::sai}) {
    names.spellings.push_back(TransformerKeys{spelling, ""}.rename());
  }
  return names;
}

}  // namespace keyflow::sd3
