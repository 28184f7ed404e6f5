#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace keyflow::sd {

/// What ControlNets add to a U-Net: one tensor for every skip connection, finest first, and one for the middle; of the
/// same shape, or [B, C, 1, 1] for the whole picture. float32.
struct ControlResiduals {
  std::vector<at::Tensor> down;
  at::Tensor middle;
};

/// Adds another ControlNet's residuals to `sum`, which may be empty.
/// Throws Error::shape where the two are not for the same U-Net and picture.
void add(ControlResiduals& sum, const ControlResiduals& more);

}  // namespace keyflow::sd
