#pragma once
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::sd3 {

/// The spelling of the transformer's names in a file. The model itself speaks diffusers', whose q, k and v are tensors
/// of their own, so that both kinds of file are read without copying; only the adaptive norms of the output and of the
/// last block's text are cut in "scale" and "shift", for the two spellings stack them in opposite order.
enum class Spelling { sai, diffusers };
std::string_view name_of(Spelling spelling);

/// How one file names the tensors: by which spelling, behind which prefix ("model.diffusion_model." in single files).
struct TransformerKeys {
  Spelling spelling = Spelling::diffusers;
  std::string prefix;

  /// Model name -> file name.
  weights::Rename rename() const;
  /// Tensors of the file that the model rightly leaves alone.
  weights::Ignore ignore() const;
};

/// What the names of a file show; diffusers without prefix where they show nothing.
TransformerKeys transformer_keys(const std::vector<weights::TensorInfo>& tensors);

}  // namespace keyflow::sd3
