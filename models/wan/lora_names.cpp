#include "models/wan/lora_names.h"

#include "models/wan/keys.h"

namespace keyflow::wan {

weights::LoraNames lora_names() {
  weights::LoraNames names{"transformer", false, weights::denoiser_prefixes(), {}};
  for (const Spelling spelling : {Spelling::official, Spelling::diffusers}) {
    names.spellings.push_back(TransformerKeys{spelling, ""}.rename());
  }
  return names;
}

}  // namespace keyflow::wan
