#include "models/sd/res_block.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/upsample_nearest2d.h>

#include "ops/gate.h"

namespace keyflow::sd {

using layers::Conv2d;
using layers::Linear;
using ops::AfterNorm;
using weights::Scope;

at::Tensor to_tokens(const at::Tensor& picture) { return picture.permute({0, 2, 3, 1}).flatten(1, 2); }

at::Tensor to_picture(const at::Tensor& tokens, int64_t height, int64_t width) {
  return tokens.unflatten(1, {height, width}).permute({0, 3, 1, 2});
}

ResBlock::ResBlock(const Scope& w, int64_t in, int64_t out, const UNetConfig& config)
    : norm1(w / "norm1", in, config.norm_num_groups, config.norm_eps),
      norm2(w / "norm2", out, config.norm_num_groups, config.norm_eps),
      conv1(w / "conv1", in, out, {.padding = 1}),
      conv2(w / "conv2", out, out, {.padding = 1}),
      time_emb_proj(Linear::fp32(w / "time_emb_proj", config.time_embed_dim(), out)),
      type_(w.compute().conv2d) {
  if (in != out) conv_shortcut.emplace(Linear::pointwise(w / "conv_shortcut", in, out));
}

at::Tensor ResBlock::operator()(const at::Tensor& x, const at::Tensor& time) const {
  at::Tensor h = conv1(norm1(x, AfterNorm::silu, {.type = type_}));                     // [B, out, H, W]
  h = conv2(norm2(h, AfterNorm::silu, {.type = type_, .shift = time_emb_proj(time)}));  // [B, out, H, W]
  // x may be waiting as a skip connection, so only a projection of it may be added to in place.
  if (!conv_shortcut) return x + h.to(at::kFloat);
  at::Tensor shortcut = (*conv_shortcut)(to_tokens(x)).to(at::kFloat);  // [B, H*W, out]
  return to_picture(ops::add_gated(std::move(shortcut), to_tokens(h)), x.size(2), x.size(3));
}

Downsample::Downsample(const Scope& w, int64_t channels)
    : conv(w / "conv", channels, channels, {.stride = 2, .padding = 1}) {}

at::Tensor Downsample::operator()(const at::Tensor& x) const { return conv(x).to(at::kFloat); }

Upsample::Upsample(const Scope& w, int64_t channels)
    : conv(w / "conv", channels, channels, {.padding = 1}), type_(w.compute().conv2d) {}

at::Tensor Upsample::operator()(const at::Tensor& x, int64_t height, int64_t width) const {
  return conv(at::upsample_nearest2d(x.to(type_), {height, width})).to(at::kFloat);
}

}  // namespace keyflow::sd
