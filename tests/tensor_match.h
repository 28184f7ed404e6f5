#pragma once
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "core/compute.h"
#include "core/shape.h"

namespace keyflow::tests {

/// The first values of a tensor, for failures.
inline std::string head_of(const at::Tensor& x) {
  const at::Tensor values = x.flatten().narrow(0, 0, std::min<int64_t>(5, x.numel())).to(at::kDouble);
  std::string text;
  for (int64_t i = 0; i < values.numel(); ++i) text += " " + std::to_string(values[i].item<double>());
  return text;
}

/// Equal shapes, everything finite, and max|a - b| <= tolerance · max|b|.
inline ::testing::AssertionResult near(const at::Tensor& actual, const at::Tensor& expected, double tolerance) {
  if (actual.sizes() != expected.sizes()) {
    return ::testing::AssertionFailure() << "shape " << shape_text(actual.sizes()) << ", expected "
                                         << shape_text(expected.sizes());
  }
  const at::Tensor a = actual.detach().to(at::kCPU, at::kDouble).flatten(),
                   b = expected.detach().to(at::kCPU, at::kDouble).flatten();
  const at::Tensor difference = (a - b).abs();
  const int64_t index = difference.argmax().item<int64_t>();
  const double largest = difference.max().item<double>(), scale = b.abs().max().item<double>();
  const auto text =
      c10::str("largest difference ", largest, " at ", index, " (", a[index].item<double>(), " against ",
               b[index].item<double>(), "), relative ", largest / scale, "; ", dtype_name(actual.scalar_type()), " ",
               shape_text(actual.sizes()), " starts", head_of(actual), ", expected", head_of(expected));
  // Written so that NaN fails.
  if (largest <= tolerance * scale) return ::testing::AssertionSuccess() << text;
  return ::testing::AssertionFailure() << text;
}

}  // namespace keyflow::tests
