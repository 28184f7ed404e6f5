#pragma once
#include <ATen/core/Tensor.h>

#include <array>

#include "models/layers/adapter_branch.h"
#include "models/layers/linear.h"
#include "weights/scope.h"

namespace keyflow::layers {

/// 2-D convolution in compute().conv2d, and what LoRA files add; "weight" [out, in, k, k], "bias" [out]. A frozen
/// weight whose type is that of the kernel, or wider in the file, is sorted once for the kernel; others are sorted at
/// each call.
struct Conv2dOptions {
  int64_t kernel = 3, stride = 1, padding = 0;
  Bias bias = Bias::yes;
};
class Conv2d {
 public:
  Conv2d(const weights::Scope& w, int64_t in, int64_t out, const Conv2dOptions& options);
  /// As above, but in float32 whatever compute() says (the first and the last layer of a network).
  static Conv2d fp32(const weights::Scope& w, int64_t in, int64_t out, const Conv2dOptions& options);
  /// x [B, C, H, W]; return [B, out, H', W']
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Conv2d(const weights::Scope& w, int64_t in, int64_t out, const Conv2dOptions& options, at::ScalarType compute);
  at::Tensor convolved(const at::Tensor& input) const;

  AdapterBranch branch_;  // claims before the weight is asked for
  Weight weight_, bias_;
  at::Tensor packed_;  // in place of weight_
  at::ScalarType type_;
  Conv2dOptions options_;
};

/// 3-D convolution in compute().conv3d; "weight" [out, in, kt, kh, kw], "bias" [out].
struct Conv3dOptions {
  std::array<int64_t, 3> kernel{3, 3, 3}, stride{1, 1, 1}, padding{0, 0, 0};
};
class Conv3d {
 public:
  Conv3d(const weights::Scope& w, int64_t in, int64_t out, const Conv3dOptions& options);
  /// x [B, C, T, H, W]; return [B, out, T', H', W']
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Weight weight_, bias_;
  Conv3dOptions options_;
};

}  // namespace keyflow::layers
