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

/// The lines or columns that a pass leaves as they are: all outputs, one input each.
Axis unchanged(int64_t begin, int64_t count) {
  Axis axis;
  axis.first = begin;
  axis.inputs = count;
  return axis;
}

/// Copies `rows` lines of `width` bytes that are `stride` bytes apart.
void copy_lines(const uint8_t* source, int64_t rows, int64_t width, int64_t stride, uint8_t* target) {
  for (int64_t y = 0; y < rows; ++y) std::copy_n(source + y * stride, width, target + y * width);
}

/// Pillow's two passes over a [3, H0, W0] picture, each only where the side changes. The result of the first is rounded
/// to bytes, so their order matters: since 13.0 the vertical one comes first when the height shrinks by more than twice
/// the pixels that the width does.
at::Tensor resample(const at::Tensor& rgb, Kernel kernel, const Window& window) {
  const at::Tensor source = rgb.contiguous();  // [3, H0, W0]
  const int64_t H0 = source.size(1), W0 = source.size(2), H = window.height, W = window.width;
  const bool down = window.full_height != H0, across = window.full_width != W0;
  const Axis rows = down ? Axis(kernel, H0, window.full_height, window.top, H) : unchanged(window.top, H);
  const Axis columns = across ? Axis(kernel, W0, window.full_width, window.left, W) : unchanged(window.left, W);
  const int64_t shrink = H0 - window.full_height;
  const bool vertical_first = shrink > 0 && shrink > 2 * (W0 - window.full_width);
  at::Tensor result = at::empty({3, H, W}, at::kByte);  // [3, H, W]
  at::Tensor middle = at::empty({vertical_first ? H * columns.inputs : rows.inputs * W}, at::kByte);
  for (int64_t c = 0; c < 3; ++c) {
    const uint8_t* needed = source.const_data_ptr<uint8_t>() + (c * H0 + rows.first) * W0 + columns.first;
    uint8_t* between = middle.data_ptr<uint8_t>();
    uint8_t* target = result.data_ptr<uint8_t>() + c * H * W;
    if (vertical_first) {
      resample_rows(rows, needed, columns.inputs, W0, between);
      if (across) resample_columns(columns, between, H, columns.inputs, target);
      if (!across) copy_lines(between, H, W, W, target);
    } else {
      if (across) resample_columns(columns, needed, rows.inputs, W0, between);
      if (!across) copy_lines(needed, rows.inputs, W, W0, between);
      if (down) resample_rows(rows, between, W, W, target);
      if (!down) copy_lines(between, H, W, W, target);
    }
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
