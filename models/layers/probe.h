#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

namespace keyflow::layers {

/// Looks at intermediate results of a forward pass, by the name of the module that made them ("x_embedder",
/// "transformer_blocks.3"). An empty one costs nothing.
using Probe = std::function<void(const std::string& module, const at::Tensor& output)>;

/// Remembers the first module whose output holds NaN or infinity.
class FirstNonFinite {
 public:
  /// A probe that reports here; this object must outlive it.
  Probe probe();
  /// "" while all was finite
  const std::string& module() const { return module_; }

 private:
  std::string module_;
};

}  // namespace keyflow::layers
