#pragma once
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::wan {

/// The spelling of the diffusion transformer's names in a file. The model itself speaks Wan's own.
enum class Spelling { official, diffusers };
std::string_view name_of(Spelling spelling);

/// How one file names the tensors: by which spelling, behind which prefix ("model.diffusion_model." in repacks).
struct TransformerKeys {
  Spelling spelling = Spelling::official;
  std::string prefix;

  /// Model name -> file name.
  weights::Rename rename() const;
  /// Tensors of the file that the model rightly leaves alone.
  weights::Ignore ignore() const;
};

/// What the names of a file show; official without prefix where they show nothing.
TransformerKeys transformer_keys(const std::vector<weights::TensorInfo>& tensors);

/// "blocks.0.self_attn.q.weight" -> "blocks.0.attn1.to_q.weight"
std::string to_diffusers_name(const std::string& official);

}  // namespace keyflow::wan
