#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <vector>

namespace keyflow::weights {

/// One line of a checkpoint's header.
struct TensorInfo {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;

  /// Product of the shape; 1 for rank 0. The readers have checked that it does not overflow.
  int64_t numel() const {
    int64_t product = 1;
    for (const auto size : shape) product *= size;
    return product;
  }
  uint64_t bytes() const { return static_cast<uint64_t>(numel()) * c10::elementSize(dtype); }
};

}  // namespace keyflow::weights
