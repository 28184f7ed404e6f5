#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow {

/// Standard normal noise, float32 on the CPU: the numbers torch.randn(shape, generator=torch.Generator("cpu")
/// .manual_seed(seed)) gives, whatever the device, the dtype or the number of threads of the run.
at::Tensor randn(at::IntArrayRef shape, uint64_t seed);

}  // namespace keyflow
