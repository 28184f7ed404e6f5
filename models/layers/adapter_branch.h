#pragma once
#include <ATen/core/Tensor.h>

#include <memory>

#include "weights/scope.h"

namespace keyflow::layers {

/// What LoRA files add to a layer's product, computed beside it: the weight stays as it lies in its file, mapped or
/// quantised, and no second copy of it is made. All files' matrices of low rank are joined into one pair.
///
/// A Hadamard product is written out as the low rank r·r that it is where that costs no more than the layer itself;
/// else its matrix is made at each call, in bands of rows. A Kronecker product is applied factor by factor.
class AdapterBranch {
 public:
  AdapterBranch() = default;
  /// Claims the adapters of "weight" [out, in, k...]; to be made before the weight is asked for.
  AdapterBranch(const weights::Scope& w, at::IntArrayRef shape, at::ScalarType compute);

  /// Adds ΔW x to y in place. x [..., in] and y [..., out] of the compute type
  void add_linear(const at::Tensor& x, at::Tensor& y) const;
  /// x [B, in, H, W], y [B, out, H', W']
  void add_conv2d(const at::Tensor& x, at::Tensor& y, int64_t stride, int64_t padding) const;

 private:
  struct Parts;
  std::shared_ptr<const Parts> parts_;
};

}  // namespace keyflow::layers
