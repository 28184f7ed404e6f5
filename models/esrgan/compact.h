#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "models/esrgan/config.h"
#include "models/layers/conv.h"
#include "models/layers/linear.h"
#include "weights/scope.h"

namespace keyflow::esrgan {

/// SRVGGNetCompact: convolutions with learned slopes at the picture's own size, whose result, shuffled into pixels, is
/// added to the picture enlarged by the nearest pixel.
/// source Real-ESRGAN realesrgan/archs/srvgg_arch.py@a4abfb2
class CompactNet {
 public:
  CompactNet(const weights::Scope& w, const Config& config);
  /// rgb [B, 3, H, W] float32; return [B, 3, scale * H, scale * W]
  at::Tensor operator()(const at::Tensor& rgb) const;

 private:
  int64_t shuffle_;
  std::vector<layers::Conv2d> convolutions_;
  std::vector<layers::Weight> slopes_;  // of each but the last convolution
};

}  // namespace keyflow::esrgan
