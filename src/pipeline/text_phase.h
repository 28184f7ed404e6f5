#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/compute.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

struct EncodedPrompt {
  at::Tensor embedding;  ///< [1, L, E] float32, L the prompt's tokens with the end mark, at most `limit`
  int64_t tokens = 0;
  std::string lost;  ///< the end of the text that the limit cut off, "" if none
};

/// Cleans, tokenises and encodes prompts with the model's text encoder, which is loaded here and freed on return.
/// throws Error::usage for text that is not UTF-8, Error::numeric when an embedding is not finite
std::vector<EncodedPrompt> encode_prompts(const ModelFiles& model, const std::vector<std::string>& prompts,
                                          const Compute& compute, Observer& observer);

/// The same for a command of its own (`keyflow encode --prompt`): the text encoder and tokenizer of settings.model.
EncodedPrompt encode_prompt(const RenderSettings& settings, Observer& observer);

}  // namespace keyflow::pipeline
