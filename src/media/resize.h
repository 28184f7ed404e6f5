#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace keyflow::media {

/// How a frame in [-1, 1] becomes bytes.
enum class Quantize {
  truncate,  ///< videos of the official program and of diffusers: floor of (x + 1) / 2 * 255
  nearest,   ///< still pictures of both: (x + 1) / 2 * 255 + 0.5, floored
};

/// Frame to bytes, in float32 and in the source's order of operations.
///
/// frame   [..., H, W] float; values outside [-1, 1] are clamped; must be finite
/// result  same shape, uint8
/// source  Wan2.1 wan/utils/utils.py@9737cba cache_video (truncate), cache_image through torchvision save_image
/// (nearest)
at::Tensor to_uint8(const at::Tensor& frame, Quantize rule);

/// Bytes to [-1, 1]: (x / 255 - 0.5) / 0.5 in float32, as torchvision to_tensor().sub_(0.5).div_(0.5).
///
/// rgb     [..., H, W] uint8
/// result  same shape, float32
at::Tensor to_signed(const at::Tensor& rgb);

/// What the official Wan program does with a keyframe: to_signed, then torch bicubic (a = -0.75, align_corners false,
/// no antialiasing), each axis scaled on its own, nothing cropped. May overshoot [-1, 1], as there.
///
/// rgb     [3, H0, W0] uint8
/// result  [3, H, W] float32
/// source  Wan2.1 wan/image2video.py@9737cba generate
at::Tensor resize_bicubic_torch(const at::Tensor& rgb, int64_t height, int64_t width);

/// Pillow's Lanczos (a = 3) with antialiasing on bytes, bit for bit: what diffusers does with a keyframe.
///
/// rgb     [3, H0, W0] uint8
/// result  [3, H, W] uint8
/// source  Pillow src/libImaging/Resample.c@13.0.0: two passes, 22-bit fixed-point weights; the vertical
///         pass comes first when H0 - H > 0 and H0 - H > 2 * (W0 - W) (before 13.0: never)
at::Tensor resize_lanczos_pil(const at::Tensor& rgb, int64_t height, int64_t width);

/// As resize_lanczos_pil with Pillow's bicubic kernel (a = -0.5, antialiased).
at::Tensor resize_bicubic_pil(const at::Tensor& rgb, int64_t height, int64_t width);

/// What CLIPImageProcessor does before it normalises: shortest side to `edge` by resize_bicubic_pil (the longer side
/// is floor(edge * long / short)), then the centre edge x edge square.
///
/// rgb     [3, H0, W0] uint8
/// result  [3, edge, edge] uint8
/// source  transformers 5.23.0 image_transforms.py get_resize_output_image_size, center_crop
at::Tensor clip_crop_pil(const at::Tensor& rgb, int64_t edge);

/// Resizes so that the frame is covered, then crops its centre: scale s = max(W/W0, H/H0), sides round(s * W0) and
/// round(s * H0), kernel resize_lanczos_pil, crop offsets rounded down. With an equal aspect this is
/// resize_lanczos_pil, with an equal size it changes nothing. Only the part that is kept is computed.
///
/// rgb     [3, H0, W0] uint8
/// result  [3, H, W] float32 in [-1, 1]
/// source  Wan2.2 wan/textimage2video.py@main i2v: resize by LANCZOS, centre crop with floored offsets
at::Tensor cover_crop(const at::Tensor& rgb, int64_t height, int64_t width);

/// cover_crop before the step to [-1, 1]: [3, H, W] uint8.
at::Tensor cover_crop_uint8(const at::Tensor& rgb, int64_t height, int64_t width);

}  // namespace keyflow::media
