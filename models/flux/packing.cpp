#include "models/flux/packing.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include "core/shape.h"
#include "ops/patchify.h"

namespace keyflow::flux {
namespace {

constexpr int64_t kPack = 2;   // latents along a side of a token
constexpr int64_t kScale = 8;  // pixels along a side of a latent

}  // namespace

at::Tensor pack(const at::Tensor& latents) {
  const auto [B, C, H, W] = dims<4>(latents, "latents");
  require(H % kPack == 0 && W % kPack == 0, ErrorKind::shape, "latents: expected an even height and width, found ", H,
          " and ", W);
  return ops::patchify(latents.unsqueeze(2), {1, kPack, kPack});  // [B, L, 4*C]
}

at::Tensor unpack(const at::Tensor& tokens, int64_t height, int64_t width) {
  const int64_t h = height / kPack, w = width / kPack;
  require_shape(tokens, {-1, h * w, -1}, "tokens");
  const int64_t B = tokens.size(0), C = tokens.size(2) / (kPack * kPack);
  return tokens.reshape({B, h, w, C, kPack, kPack}).permute({0, 3, 1, 4, 2, 5}).reshape({B, C, height, width});
}

at::Tensor text_ids(int64_t count) { return at::zeros({count, 3}, at::kLong); }

at::Tensor picture_ids(int64_t height, int64_t width) {
  const at::Tensor rows = at::arange(height, at::kLong).unsqueeze(1).expand({height, width});
  const at::Tensor columns = at::arange(width, at::kLong).unsqueeze(0).expand({height, width});
  return at::stack({at::zeros({height, width}, at::kLong), rows, columns}, 2).view({height * width, 3});
}

at::Tensor mask_channels(const at::Tensor& mask) {
  const auto [B, one, H, W] = dims<4>(mask, "mask");
  require(one == 1 && H % kScale == 0 && W % kScale == 0, ErrorKind::shape,
          "mask: expected [B, 1, H, W] with sides that 8 divides, found ", shape_text(mask.sizes()));
  const int64_t h = H / kScale, w = W / kScale;
  return mask.reshape({B, h, kScale, w, kScale}).permute({0, 2, 4, 1, 3}).reshape({B, kScale * kScale, h, w});
}

}  // namespace keyflow::flux
