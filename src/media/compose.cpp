#include "media/compose.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/flip.h>

#include "core/shape.h"

namespace keyflow::media {

at::Tensor compose_on_white(const at::Tensor& pixels) {
  const auto [H, W, C] = dims<3>(pixels, "pixels");
  require((C == 3 || C == 4) && pixels.scalar_type() == at::kByte && pixels.is_contiguous(), ErrorKind::shape,
          "pixels: expected contiguous uint8 [H, W, 3 or 4], found ", shape_text(pixels.sizes()));
  if (C == 3) return pixels.permute({2, 0, 1}).contiguous();  // [3, H, W]
  at::Tensor rgb = at::empty({3, H, W}, at::kByte);           // [3, H, W]
  const uint8_t* source = pixels.const_data_ptr<uint8_t>();
  for (int64_t c = 0; c < 3; ++c) {
    uint8_t* plane = rgb.data_ptr<uint8_t>() + c * H * W;
    for (int64_t i = 0; i < H * W; ++i) {
      const int alpha = source[4 * i + 3];
      plane[i] = static_cast<uint8_t>((source[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return rgb;
}

at::Tensor upright(const at::Tensor& rgb, int orientation) {
  const at::Tensor turned = orientation >= 5 ? rgb.transpose(1, 2) : rgb;
  switch (orientation) {
    case 2:
    case 6:
      return at::flip(turned, {2}).contiguous();
    case 3:
    case 7:
      return at::flip(turned, {1, 2}).contiguous();
    case 4:
    case 8:
      return at::flip(turned, {1}).contiguous();
    default:
      return turned.contiguous();
  }
}

}  // namespace keyflow::media
