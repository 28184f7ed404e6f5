#include "models/clip/lora_names.h"

#include <c10/util/StringUtil.h>

#include "models/clip/text_keys.h"

namespace keyflow::clip {

weights::LoraNames lora_names(int64_t number, weights::TextPlace place) {
  weights::LoraNames names{c10::str("text encoder ", number), true, weights::text_prefixes(number, place), {}};
  // Files trained on ComfyUI's names.
  names.prefixes.emplace_back(number == 1 ? "text_encoders.clip_l.transformer." : "text_encoders.clip_g.transformer.");
  for (const TextKeys& keys : {TextKeys{TextSpelling::huggingface, "text_model."},
                               TextKeys{TextSpelling::huggingface, ""}, TextKeys{TextSpelling::openclip, ""}}) {
    names.spellings.push_back(keys.rename());
  }
  return names;
}

}  // namespace keyflow::clip
