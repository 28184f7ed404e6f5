#pragma once
#include <optional>
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::taesd {

enum class Half { encoder, decoder };
/// "encoder", "decoder"
std::string_view name_of(Half half);

/// The spellings of a half's names: indexes into its sequence of layers, as its author has them ("3.conv.0.weight"),
/// which the model itself speaks; or diffusers' ("decoder.layers.2.conv.0.weight"), where the decoder's indexes are one
/// less, for want of a layer that clamps.
enum class Spelling { original, diffusers };

/// How one file names the tensors of one half: by which spelling, behind which prefix (none in a file of its own).
struct TinyKeys {
  Half half = Half::decoder;
  Spelling spelling = Spelling::original;
  std::string prefix;

  /// Model name -> file name.
  weights::Rename rename() const;
  /// Behind another prefix: the other half, and the parts of a whole pipeline.
  weights::Ignore ignore() const;
};

/// What the names of a file show; nothing where it does not hold this half.
std::optional<TinyKeys> tiny_keys(const std::vector<weights::TensorInfo>& tensors, Half half);

}  // namespace keyflow::taesd
