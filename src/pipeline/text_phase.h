#pragma once
#include "pipeline/model.h"

namespace keyflow::pipeline {

/// A prompt encoded for a command of its own (`keyflow encode --prompt`): the text encoders and tokenizers of
/// settings.model, which are loaded here and freed on return.
/// throws Error::usage for text that is not UTF-8, Error::numeric when an embedding is not finite
EncodedPrompt encode_prompt(const RenderSettings& settings, Observer& observer);

}  // namespace keyflow::pipeline
