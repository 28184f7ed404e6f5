#include "models/autoencoder_kl/blocks.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/upsample_nearest2d.h>

#include "core/shape.h"
#include "ops/attention.h"

namespace keyflow::autoencoder_kl {

using layers::Conv2dOptions;
using ops::AfterNorm;
using weights::Scope;

namespace {

constexpr Conv2dOptions kSame{.kernel = 3, .padding = 1};

std::optional<layers::Conv2d> shortcut(const Scope& w, int64_t in, int64_t out) {
  if (in == out) return {};
  return layers::Conv2d(w, in, out, {.kernel = 1});
}

}  // namespace

ResnetBlock::ResnetBlock(const Scope& w, int64_t in, int64_t out, int64_t groups)
    : norm1(w / "norm1", in, groups, kNormEps),
      conv1(w / "conv1", in, out, kSame),
      norm2(w / "norm2", out, groups, kNormEps),
      conv2(w / "conv2", out, out, kSame),
      conv_shortcut(shortcut(w / "conv_shortcut", in, out)) {}

// Each step's input is given up before the next one runs: a nested expression would keep them all.
at::Tensor ResnetBlock::operator()(const at::Tensor& x) const {
  at::Tensor h = norm1(x, AfterNorm::silu);
  h = conv1(h);
  h = norm2(h, AfterNorm::silu);
  h = conv2(h);
  return h.add_(conv_shortcut ? (*conv_shortcut)(x) : x);
}

at::Tensor ResnetBlock::first(const at::Tensor& x, const ops::ChannelScale& scale1) const {
  return conv1(ops::scale_channels(x, scale1, AfterNorm::silu));
}

at::Tensor ResnetBlock::second(const at::Tensor& x, at::Tensor h, const ops::ChannelScale& scale2) const {
  h = ops::scale_channels(h, scale2, AfterNorm::silu);
  h = conv2(h);
  return h.add_(conv_shortcut ? (*conv_shortcut)(x) : x);
}

AttentionBlock::AttentionBlock(const Scope& w, int64_t channels, int64_t groups)
    : group_norm(w / "group_norm", channels, groups, kNormEps),
      to_q(w / "to_q", channels, channels),
      to_k(w / "to_k", channels, channels),
      to_v(w / "to_v", channels, channels),
      to_out(w / "to_out" / 0, channels, channels),
      attention_type_(w.compute().attention) {}

at::Tensor AttentionBlock::operator()(const at::Tensor& x) const {
  const auto [B, C, H, W] = dims<4>(x, "autoencoder attention");
  const at::Tensor h = group_norm(x).permute({0, 2, 3, 1}).reshape({B, H * W, C});  // [B, L, C]
  const auto head = [&](const layers::Linear& project) { return project(h).unsqueeze(1); };
  const at::Tensor attended = ops::attention(head(to_q), head(to_k), head(to_v), {.type = attention_type_});
  const at::Tensor y = to_out(attended.squeeze(1)).view({B, H, W, C}).permute({0, 3, 1, 2});
  return x + y.to(x.scalar_type());
}

MidBlock::MidBlock(const Scope& w, int64_t channels, int64_t groups, bool with_attention)
    : first(w / "resnets" / 0, channels, channels, groups), second(w / "resnets" / 1, channels, channels, groups) {
  if (with_attention) attention.emplace(w / "attentions" / 0, channels, groups);
}

at::Tensor MidBlock::operator()(const at::Tensor& x) const {
  const at::Tensor h = first(x);
  return second(attention ? (*attention)(h) : h);
}

Downsample::Downsample(const Scope& w, int64_t channels)
    : conv(w / "conv", channels, channels, {.kernel = 3, .stride = 2}) {}

at::Tensor Downsample::operator()(const at::Tensor& x) const { return conv(at::constant_pad_nd(x, {0, 1, 0, 1})); }

Upsample::Upsample(const Scope& w, int64_t channels) : conv(w / "conv", channels, channels, kSame) {}

at::Tensor Upsample::operator()(const at::Tensor& x) const {
  return conv(at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}));
}

}  // namespace keyflow::autoencoder_kl
