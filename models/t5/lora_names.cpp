#include "models/t5/lora_names.h"

#include <c10/util/StringUtil.h>

#include "models/t5/keys.h"

namespace keyflow::t5 {

weights::LoraNames lora_names(int64_t number, weights::TextPlace place) {
  weights::LoraNames names{c10::str("text encoder ", number), true, weights::text_prefixes(number, place), {}};
  // kohya calls T5 the third encoder of FLUX too; the others are ComfyUI's.
  names.prefixes.insert(names.prefixes.end(),
                        {"lora_te3_", "text_encoders.t5xxl.transformer.", "text_encoders.umt5xxl.transformer."});
  names.spellings = {EncoderKeys{Spelling::transformers}.rename(), EncoderKeys{Spelling::official}.rename()};
  return names;
}

}  // namespace keyflow::t5
