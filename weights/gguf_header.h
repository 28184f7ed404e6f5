#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::weights {

/// One tensor of a GGUF file. `begin` counts from the start of the file.
struct GgufTensor {
  TensorInfo info;
  uint64_t begin = 0;
};

struct GgufHeader {
  std::vector<GgufTensor> tensors;              ///< in the order of the file
  std::map<std::string, std::string> metadata;  ///< general.architecture, and what keyflow wrote
  uint64_t end = 0;                             ///< of keys and tensor infos
};

/// Reads and checks the header of a whole file: versions 2 and 3, little-endian. Tensors take the shapes that
/// comfy.gguf.orig_shape.* keys give, else their dimensions in torch's order. Five dimensions are let pass, one more
/// than ggml has: the published files of Wan keep their patch embedding so.
/// Throws Error::weights that starts with `where` and names offset, key or tensor; Error::unsupported for block formats
/// that keyflow does not unpack.
/// source ggml-org/ggml docs/gguf.md
GgufHeader parse_gguf_header(std::span<const uint8_t> file, const std::string& where);

}  // namespace keyflow::weights
