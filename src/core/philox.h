#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow {

/// Standard normal noise, float32 on the CPU: what torch.randn gives on a CUDA device, where each element has a place
/// of its own in the generator's sequence.
///
/// shape  as many elements as the device has threads at once get torch's very numbers, to float32 rounding
/// seed   of the generator
/// draw   how many tensors were drawn from it before
/// source Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (Philox-4x32-10); places of the elements:
///        AUTOMATIC1111/stable-diffusion-webui modules/rng_philox.py@5ef669d
at::Tensor philox_randn(at::IntArrayRef shape, uint64_t seed, int64_t draw = 0);

}  // namespace keyflow
