#include "models/layers/probe.h"

#include <ATen/ops/isfinite.h>

namespace keyflow::layers {

Probe FirstNonFinite::probe() {
  return [this](const std::string& module, const at::Tensor& output) {
    if (module_.empty() && !at::isfinite(output).all().item<bool>()) module_ = module;
  };
}

}  // namespace keyflow::layers
