#pragma once
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::clip {

/// The spellings of the picture encoder's names. The model itself speaks transformers' without prefix.
enum class VisionSpelling { transformers, official };

struct VisionKeys {
  VisionSpelling spelling = VisionSpelling::transformers;
  std::string prefix;             ///< "vision_model." in files of transformers 4, "visual." in Wan's
  int64_t num_hidden_layers = 0;  ///< as the file has them

  /// Model name -> file name; Wan's file stacks queries, keys and values.
  weights::Rename rename() const;
  /// Tensors of the file that the model rightly leaves alone.
  weights::Ignore ignore() const;
};

/// What the names of a file show.
VisionKeys vision_keys(const std::vector<weights::TensorInfo>& tensors);

}  // namespace keyflow::clip
