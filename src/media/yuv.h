#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "media/libav.h"

// Between the planes of RGB tensors and FFmpeg's frames, by swscale in its bit-exact mode.
namespace keyflow::media {

/// RGB to BT.709 limited-range YUV of one size and format (an AVPixelFormat).
class RgbToYuv {
 public:
  RgbToYuv(int64_t height, int64_t width, int format);

  /// [3, H, W] uint8 to a new tagged frame.
  FramePtr convert(const at::Tensor& rgb);

 private:
  int format_;
  FramePtr planes_;
  ScalerPtr scaler_;
};

/// Any frame to RGB. Matrix and range follow the frame's tags; without a matrix it is BT.601, swscale's own default.
/// Alpha is composited on white.
class YuvToRgb {
 public:
  /// result  [3, H, W] uint8
  at::Tensor convert(const AVFrame& frame);

 private:
  ScalerPtr scaler_;
  int format_ = -1, width_ = 0, height_ = 0;
};

}  // namespace keyflow::media
