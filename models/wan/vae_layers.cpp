#include "models/wan/vae_layers.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv3d.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/zeros.h>

#include "core/shape.h"
#include "ops/attention.h"

namespace keyflow::wan {
namespace {

using weights::Init;
using weights::Scope;

/// Frames become the batch of a 2-D operation and return; both are views of channels-last tensors.
template <class Operation>
at::Tensor per_frame(const at::Tensor& x, const Operation& operation) {
  const auto [B, C, T, H, W] = dims<5>(x, "vae frames");
  const at::Tensor y = operation(x.transpose(1, 2).reshape({B * T, C, H, W}));  // [B*T, C', H', W']
  return y.view({B, T, y.size(1), y.size(2), y.size(3)}).transpose(1, 2);       // [B, C', T, H', W']
}

/// The last `count` frames as a tensor of their own, so that the rest of `x` can be freed.
at::Tensor last_frames(const at::Tensor& x, int64_t count) {
  return x.narrow(2, x.size(2) - count, count).clone(at::MemoryFormat::ChannelsLast3d);
}

}  // namespace

CausalConv3d::CausalConv3d(const Scope& w, int64_t in, int64_t out, int64_t kernel_t, int64_t kernel_hw,
                           SlotCounter& slots)
    : kernel_t_(kernel_t), padding_hw_(kernel_hw / 2), slot_(slots.next) {
  const int64_t fan_in = in * kernel_t * kernel_hw * kernel_hw;
  const at::ScalarType compute = w.compute().conv3d;
  weight_ = {w.tensor("weight", {out, in, kernel_t, kernel_hw, kernel_hw}, Init::fan_in, fan_in), compute};
  bias_ = {w.tensor("bias", {out}, Init::fan_in, fan_in), compute};
  if (kernel_t > 1) ++slots.next;
}

at::Tensor CausalConv3d::operator()(const at::Tensor& x, Stream* stream) const {
  const auto [B, C, T, H, W] = dims<5>(x, "vae causal convolution");
  const int64_t history = kernel_t_ - 1;
  at::Tensor front = stream && history > 0 ? stream->slots[slot_] : at::Tensor();
  const bool alone = T == 1 && !front.defined();
  at::Tensor padded = x;
  if (history > 0 && (stream || !alone)) {
    if (!front.defined())
      front = at::zeros({B, C, history, H, W}, x.options().memory_format(at::MemoryFormat::ChannelsLast3d));
    padded = at::cat({front, x}, 2);  // [B, C, history + T, H, W]
    if (stream) stream->slots[slot_] = last_frames(padded, history);
  }
  if (alone || history == 0) {
    // One frame after nothing meets only the last tap, and the convolution is a 2-D one.
    const at::Tensor tap = weight_.get().select(2, history);  // [out, in, kh, kw]
    return per_frame(x, [&](const at::Tensor& frame) {
      return at::conv2d(frame, tap, bias_.get(), 1, at::IntArrayRef{padding_hw_, padding_hw_});
    });
  }
  return at::conv3d(padded, weight_.get(), bias_.get(), 1, at::IntArrayRef{0, padding_hw_, padding_hw_});
}

ChannelNorm::ChannelNorm(const Scope& w, int64_t channels, ops::AfterNorm after, Rank rank)
    : gamma_(rank == Rank::video ? w.tensor("gamma", {channels, 1, 1, 1}, Init::ones)
                                 : w.tensor("gamma", {channels, 1, 1}, Init::ones)),
      after_(after) {
  gamma_ = gamma_.view({channels}).to(at::kFloat);
}

at::Tensor ChannelNorm::operator()(const at::Tensor& x) const { return ops::channel_norm(x, gamma_, after_); }

ResidualBlock::ResidualBlock(const Scope& w, int64_t in, int64_t out, SlotCounter& slots)
    : norm1_(w / "residual.0", in, ops::AfterNorm::silu, ChannelNorm::Rank::video),
      norm2_(w / "residual.3", out, ops::AfterNorm::silu, ChannelNorm::Rank::video),
      conv1_(w / "residual.2", in, out, 3, 3, slots),
      conv2_(w / "residual.6", out, out, 3, 3, slots),
      shortcut_(in == out ? nullptr : std::make_unique<CausalConv3d>(w / "shortcut", in, out, 1, 1, slots)) {}

at::Tensor ResidualBlock::operator()(const at::Tensor& x, Stream* stream) const {
  const at::Tensor h = conv2_(norm2_(conv1_(norm1_(x), stream)), stream);
  return h + (shortcut_ ? (*shortcut_)(x, stream) : x);
}

AttentionBlock::AttentionBlock(const Scope& w, int64_t channels)
    : norm_(w / "norm", channels, ops::AfterNorm::nothing, ChannelNorm::Rank::frame),
      to_qkv_(w / "to_qkv", channels, 3 * channels, {.kernel = 1}),
      proj_(w / "proj", channels, channels, {.kernel = 1}),
      attention_type_(w.compute().attention) {}

at::Tensor AttentionBlock::operator()(const at::Tensor& x, Stream*) const {
  const auto attend = [&](const at::Tensor& frame) {
    const auto [B, C, H, W] = dims<4>(frame, "vae attention");
    const at::Tensor qkv = to_qkv_(frame).flatten(2).transpose(1, 2).unsqueeze(1);  // [B, 1, L, 3C]
    const auto part = [&, C = C](int64_t index) { return qkv.narrow(-1, index * C, C).contiguous(); };
    const at::Tensor y = ops::attention(part(0), part(1), part(2), {.type = attention_type_});  // [B, 1, L, C]
    return proj_(y.squeeze(1).transpose(1, 2).reshape({B, C, H, W}));
  };
  return x + per_frame(norm_(x), attend).to(x.scalar_type());
}

Downsample::Downsample(const Scope& w, int64_t channels, InTime in_time, SlotCounter& slots)
    : conv_(w / "resample.1", channels, channels, {.kernel = 3, .stride = 2}), slot_(slots.next) {
  if (in_time == InTime::no) return;
  ++slots.next;
  time_conv_ = std::make_unique<layers::Conv3d>(w / "time_conv", channels, channels,
                                                layers::Conv3dOptions{.kernel = {3, 1, 1}, .stride = {2, 1, 1}});
}

at::Tensor Downsample::operator()(const at::Tensor& x, Stream* stream) const {
  const at::Tensor y = per_frame(x, [&](const at::Tensor& frame) {
    return conv_(at::constant_pad_nd(frame, {0, 1, 0, 1})).to(x.scalar_type());
  });
  if (!time_conv_) return y;
  const bool first = !stream || stream->first;
  at::Tensor result = y;
  if (!first) {
    result = (*time_conv_)(at::cat({stream->slots[slot_], y}, 2));
  } else if (y.size(2) > 1) {
    result = at::cat({y.narrow(2, 0, 1), (*time_conv_)(y)}, 2);
  }
  if (stream) stream->slots[slot_] = last_frames(y, 1);
  return result;
}

Upsample::Upsample(const Scope& w, int64_t channels, InTime in_time, SlotCounter& slots)
    : conv_(w / "resample.1", channels, channels / 2, {.kernel = 3, .padding = 1}) {
  if (in_time == InTime::yes)
    time_conv_ = std::make_unique<CausalConv3d>(w / "time_conv", channels, 2 * channels, 3, 1, slots);
}

at::Tensor Upsample::operator()(const at::Tensor& x, Stream* stream) const {
  at::Tensor y = x;
  if (time_conv_) {
    // The very first frame is neither doubled nor seen by the time convolution.
    const int64_t kept = !stream || stream->first ? 1 : 0;
    const auto [B, C, T, H, W] = dims<5>(x, "vae upsample");
    if (T > kept) {
      const at::Tensor halves = (*time_conv_)(x.narrow(2, kept, T - kept), stream);  // [B, 2C, T - kept, H, W]
      const at::Tensor doubled = at::stack({halves.narrow(1, 0, C), halves.narrow(1, C, C)}, 3).flatten(2, 3);
      y = kept ? at::cat({x.narrow(2, 0, kept), doubled}, 2) : doubled;  // [B, C, 2T - kept, H, W]
    }
  }
  return per_frame(y, [&](const at::Tensor& frame) {
    return conv_(at::upsample_nearest2d(frame, {2 * frame.size(2), 2 * frame.size(3)})).to(x.scalar_type());
  });
}

}  // namespace keyflow::wan
