#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::ops {

/// How a 2-D convolution walks, alike along both edges.
struct ConvSteps {
  int64_t stride = 1, padding = 0;
};

/// Weights of a 2-D convolution in the order in which oneDNN's kernel reads them. conv2d sorts them anew at each call,
/// which at a U-Net's small and deep levels takes longer than the convolution.
///
/// weight  [out, in, k, k] float32 or bfloat16, on the CPU
/// return  the same values, opaque; undefined where this machine or this libtorch has no such kernel
at::Tensor pack_conv2d(const at::Tensor& weight, const ConvSteps& steps);

/// The convolution with packed weights. Not differentiable: see packed_conv2d_plain.
///
/// x       [B, in, H, W] in the weights' type
/// packed  from pack_conv2d with the same steps
/// bias    [out] in that type; undefined for none
/// return  [B, out, H', W'] in that type, channels last
at::Tensor packed_conv2d(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias, const ConvSteps& steps);

/// The same by conv2d on unpacked weights; differentiable.
at::Tensor packed_conv2d_plain(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias,
                               const ConvSteps& steps);

}  // namespace keyflow::ops
