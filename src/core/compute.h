#pragma once
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>

namespace keyflow {

/// The arithmetic type of each class of operation. Weights keep the dtype of their file and are unpacked
/// where a kernel wants another. Norms, softmax, modulation, time embeddings, RoPE and latents stay float32.
struct Compute {
  at::ScalarType linear = at::kFloat;
  at::ScalarType conv2d = at::kFloat;
  at::ScalarType conv3d = at::kFloat;
  at::ScalarType attention = at::kFloat;
  at::Device device = at::kCPU;
};

/// "linear=bf16 conv2d=bf16 conv3d=fp32 attention=fp32", the form that compute_from_text reads.
std::string to_text(const Compute& compute);

/// One of "fp32", "bf16", "fp16" for every class, or the form of to_text; throws Error::usage.
Compute compute_from_text(const std::string& text);

/// Times each class once per dtype on the CPU (some milliseconds) and picks another type than float32 only where it
/// is at least 1.2 times faster.
Compute probe_compute();

/// What probe_compute() found the first time on this machine (processor and libraries), kept in the user's cache folder
/// (keyflow/compute-*.txt under $XDG_CACHE_HOME or ~/.cache), so that run after run computes the same. Measures each
/// time where there is no such folder.
Compute machine_compute();

/// "fp32", "bf16", "fp16", "fp8_e4m3", "int64" ...: the short names used in messages and tables.
std::string dtype_name(at::ScalarType type);

}  // namespace keyflow
