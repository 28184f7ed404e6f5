#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace keyflow::media {

/// Interleaved RGB or RGBA bytes to planes; alpha is composited on white: (c * a + 255 * (255 - a)) / 255, rounded.
///
/// pixels  [H, W, 3 or 4] uint8, contiguous
/// result  [3, H, W] uint8
at::Tensor compose_on_white(const at::Tensor& pixels);

/// Undoes an EXIF orientation (1 to 8): the picture as it was meant to be seen.
///
/// rgb     [3, H, W]
/// result  [3, H, W], or [3, W, H] for 5 to 8
at::Tensor upright(const at::Tensor& rgb, int orientation);

}  // namespace keyflow::media
