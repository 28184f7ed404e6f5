#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::flux {

/// Latents to tokens, 2x2 of them in each, channels slowest.
///
/// latents  [B, C, H, W]; H and W even
/// return   [B, L, 4*C], L = H/2 * W/2 row-major
/// throws   Error::shape
/// source   FLUX src/flux/sampling.py@c00d7c6 prepare
at::Tensor pack(const at::Tensor& latents);

/// The inverse of pack.
///
/// tokens         [B, H/2 * W/2, 4*C]
/// height, width  H and W of the latents, even
/// return         [B, C, H, W]
/// throws         Error::shape
at::Tensor unpack(const at::Tensor& tokens, int64_t height, int64_t width);

/// Where each token stands, the three numbers it is turned by: text at (0, 0, 0), a picture's tokens at (0, row,
/// column).
///
/// return  [count, 3] int64
at::Tensor text_ids(int64_t count);
/// height, width  in tokens, half of the latents'; return [height * width, 3] int64, row-major
at::Tensor picture_ids(int64_t height, int64_t width);

/// A pixel mask as channels of the latents, a channel for each pixel of their square: what -Fill is given beside the
/// noisy latents and those of the masked picture, cat({latents, masked picture, mask_channels(mask)}, 1).
///
/// mask    [B, 1, 8*H, 8*W], 1 where the picture is to be painted
/// return  [B, 64, H, W]
/// throws  Error::shape
/// source  diffusers 0.42.1 pipelines/flux/pipeline_flux_fill.py prepare_mask_latents
at::Tensor mask_channels(const at::Tensor& mask);

}  // namespace keyflow::flux
