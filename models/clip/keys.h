#pragma once
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::clip {

/// The spelling of the picture encoder's names in a file. The model itself speaks transformers' (huggingface).
enum class Spelling { huggingface, official };
std::string_view name_of(Spelling spelling);

/// How one file names the tensors: by which spelling, behind which prefix ("vision_model." as transformers 4 and
/// diffusers repositories have it, none in transformers 5, "visual." in Wan's .pth).
struct VisionKeys {
  Spelling spelling = Spelling::huggingface;
  std::string prefix;

  /// Model name -> file name; Wan's file stacks query, key and value in one tensor.
  weights::Rename rename() const;
  /// Tensors of the file that the model rightly leaves alone: the last of its `layers` layers, and what follows it.
  weights::Ignore ignore(int64_t layers) const;
};

/// What the names of a file show.
VisionKeys vision_keys(const std::vector<weights::TensorInfo>& tensors);

/// "encoder.layers.3.self_attn.k_proj.bias" -> part 1 of 3 of "transformer.3.attn.to_qkv.bias"
weights::FileName to_official_name(const std::string& name);

}  // namespace keyflow::clip
