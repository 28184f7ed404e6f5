#include "media/resize.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/upsample_bicubic2d.h>

#include <algorithm>
#include <cmath>

#include "core/shape.h"
#include "media/picture.h"
#include "media/resample.h"

namespace keyflow::media {
namespace {

/// The window of a resized picture that is to be computed.
struct Window {
  int64_t full_height, full_width, top, left, height, width;
};

/// Pillow's two passes over a [3, H0, W0] picture, horizontal first, each only where the side changes.
at::Tensor resample(const at::Tensor& rgb, Kernel kernel, const Window& window) {
  const at::Tensor source = rgb.contiguous();  // [3, H0, W0]
  const int64_t H0 = source.size(1), W0 = source.size(2), H = window.height, W = window.width;
  const Axis rows(kernel, H0, window.full_height, window.top, H);
  const Axis columns(kernel, W0, window.full_width, window.left, W);
  const bool rows_change = window.full_height != H0, columns_change = window.full_width != W0;
  const int64_t first = rows_change ? rows.first : window.top;
  const int64_t lines = rows_change ? rows.inputs : H;
  at::Tensor result = at::empty({3, H, W}, at::kByte);   // [3, H, W]
  at::Tensor middle = at::empty({lines, W}, at::kByte);  // [lines, W]
  for (int64_t c = 0; c < 3; ++c) {
    const uint8_t* plane = source.const_data_ptr<uint8_t>() + (c * H0 + first) * W0;
    uint8_t* target = result.data_ptr<uint8_t>() + c * H * W;
    uint8_t* between = rows_change ? middle.data_ptr<uint8_t>() : target;
    if (columns_change) {
      resample_columns(columns, plane, lines, W0, between);
    } else {
      for (int64_t y = 0; y < lines; ++y) std::copy_n(plane + y * W0 + window.left, W, between + y * W);
    }
    if (rows_change) resample_rows(rows, between, W, target);
  }
  return result;
}

void require_picture(const at::Tensor& rgb) {
  require_shape(rgb, {3, -1, -1}, "rgb");
  require(rgb.scalar_type() == at::kByte && rgb.numel() > 0, ErrorKind::shape, "rgb: expected uint8 [3, H, W], found ",
          shape_text(rgb.sizes()));
}

void require_target(int64_t height, int64_t width) {
  require(height > 0 && width > 0 && height <= kMaxSide && width <= kMaxSide && height * width <= kMaxPixels,
          ErrorKind::shape, "resize: expected sides of 1 to ", kMaxSide, " and at most ", kMaxPixels, " pixels, found ",
          width, "x", height);
}

/// Half to even, as Python rounds.
int64_t rounded(double x) { return static_cast<int64_t>(std::nearbyint(x)); }

at::Tensor resize_pil(const at::Tensor& rgb, Kernel kernel, int64_t height, int64_t width) {
  require_picture(rgb);
  require_target(height, width);
  return resample(rgb, kernel, {height, width, 0, 0, height, width});
}

}  // namespace

at::Tensor to_uint8(const at::Tensor& frame, Quantize rule) {
  const at::Tensor unit = frame.to(at::kFloat).clamp(-1, 1).add(1).div(2);
  if (rule == Quantize::truncate) return unit.mul(255).to(at::kByte);
  return unit.mul(255).add(0.5).clamp(0, 255).to(at::kByte);
}

at::Tensor to_signed(const at::Tensor& rgb) { return rgb.to(at::kFloat).div(255).sub(0.5).div(0.5); }

at::Tensor resize_bicubic_torch(const at::Tensor& rgb, int64_t height, int64_t width) {
  require_picture(rgb);
  require_target(height, width);
  const at::Tensor batch = to_signed(rgb).unsqueeze(0);                                       // [1, 3, H0, W0]
  return at::upsample_bicubic2d(batch, {height, width}, /*align_corners=*/false).squeeze(0);  // [3, H, W]
}

at::Tensor resize_lanczos_pil(const at::Tensor& rgb, int64_t height, int64_t width) {
  return resize_pil(rgb, Kernel::lanczos, height, width);
}

at::Tensor resize_bicubic_pil(const at::Tensor& rgb, int64_t height, int64_t width) {
  return resize_pil(rgb, Kernel::bicubic, height, width);
}

at::Tensor clip_crop_pil(const at::Tensor& rgb, int64_t edge) {
  require_picture(rgb);
  require_target(edge, edge);
  const int64_t H0 = rgb.size(1), W0 = rgb.size(2), shorter = std::min(H0, W0);
  const auto scaled = [&](int64_t side) { return side == shorter ? edge : edge * side / shorter; };
  const int64_t full_height = scaled(H0), full_width = scaled(W0);
  return resample(rgb, Kernel::bicubic,
                  {full_height, full_width, (full_height - edge) / 2, (full_width - edge) / 2, edge, edge});
}

at::Tensor cover_crop_uint8(const at::Tensor& rgb, int64_t height, int64_t width) {
  require_picture(rgb);
  require_target(height, width);
  const auto H0 = static_cast<double>(rgb.size(1)), W0 = static_cast<double>(rgb.size(2));
  const double scale = std::max(static_cast<double>(width) / W0, static_cast<double>(height) / H0);
  // Rounding could fall one short of the frame for the side that decides the scale.
  const int64_t full_height = std::max(rounded(H0 * scale), height);
  const int64_t full_width = std::max(rounded(W0 * scale), width);
  return resample(rgb, Kernel::lanczos,
                  {full_height, full_width, (full_height - height) / 2, (full_width - width) / 2, height, width});
}

at::Tensor cover_crop(const at::Tensor& rgb, int64_t height, int64_t width) {
  return to_signed(cover_crop_uint8(rgb, height, width));
}

}  // namespace keyflow::media
