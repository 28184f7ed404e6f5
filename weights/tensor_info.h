#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/quantised/block_format.h"

namespace keyflow::weights {

/// One line of a checkpoint's header.
struct TensorInfo {
  std::string name;
  at::ScalarType dtype = at::kFloat;  ///< of what TensorFile::read gives: float32 for packed tensors
  std::vector<int64_t> shape;
  BlockFormat format = BlockFormat::none;  ///< how a packed tensor lies in the file

  /// Product of the shape; 1 for rank 0. The readers have checked that it does not overflow.
  int64_t numel() const {
    int64_t product = 1;
    for (const auto size : shape) product *= size;
    return product;
  }
  bool packed() const { return format != BlockFormat::none; }
  /// In the file.
  uint64_t bytes() const;
  /// "fp32", "bf16", "q8_0": how it lies in the file.
  std::string type_name() const;
};

}  // namespace keyflow::weights
