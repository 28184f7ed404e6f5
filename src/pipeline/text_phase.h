#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "core/compute.h"

namespace keyflow::pipeline {

struct ModelFiles;

/// Cleans, tokenises and encodes prompts with the model's text encoder, which is loaded here and freed on return.
/// return one [1, L, E] float32 per prompt, L its tokens with the end mark, at most the model's text length
/// throws Error::numeric when an embedding is not finite
std::vector<at::Tensor> encode_prompts(const ModelFiles& model, const std::vector<std::string>& prompts,
                                       const Compute& compute);

}  // namespace keyflow::pipeline
