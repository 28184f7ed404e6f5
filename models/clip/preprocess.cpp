#include "models/clip/preprocess.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bicubic2d.h>

#include "core/shape.h"

namespace keyflow::clip {

at::Tensor normalise(const at::Tensor& picture, const PixelStatistics& statistics) {
  require_shape(picture, {-1, 3, -1, -1}, "picture");
  const auto column = [&](const std::array<double, 3>& values) {
    return at::tensor(at::ArrayRef<double>(values)).to(picture.device(), at::kFloat).view({3, 1, 1});
  };
  return (picture - column(statistics.mean)) / column(statistics.std);  // [B, 3, H, W]
}

at::Tensor preprocess(const at::Tensor& picture, int64_t size, const PixelStatistics& statistics) {
  require_shape(picture, {-1, 3, -1, -1}, "picture");
  const at::Tensor square = at::upsample_bicubic2d(picture.to(at::kFloat), {size, size}, /*align_corners=*/false);
  return normalise(square * 0.5 + 0.5, statistics);
}

}  // namespace keyflow::clip
