#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::weights {

/// A tensor to be written. `make` gives it when its turn comes and it is dropped once written, so that one tensor at a
/// time is in memory: of info.dtype and info.shape, or, where info.format is set, the bytes of its blocks.
struct TensorToWrite {
  TensorInfo info;
  std::function<at::Tensor()> make;
};

/// Writes safetensors atomically: the header lists the tensors in the order given, the data lies in the order of
/// falling item size, so that every tensor is aligned. Equal arguments give equal bytes. `metadata` becomes
/// `__metadata__`. Throws Error::io; Error::weights for names or types that the format cannot hold.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// Writes GGUF version 3 atomically, tensors in the order given. `metadata` may hold general.architecture; its other
/// texts become keyflow.metadata.* keys, which open_tensors gives back under their own names. A tensor of more than
/// four dimensions, or whose rows do not fill blocks, is written as a matrix with its shape in comfy.gguf.orig_shape.*.
/// Throws as write_safetensors.
void write_gguf(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                const std::map<std::string, std::string>& metadata = {});

/// True where GGUF has a type for the tensor and its values fill whole blocks.
bool gguf_holds(const TensorInfo& info);

}  // namespace keyflow::weights
