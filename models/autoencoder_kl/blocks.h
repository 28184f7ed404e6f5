#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "models/layers/conv.h"
#include "models/layers/group_norm.h"
#include "models/layers/linear.h"

// Shapes here: [B, C, H, W] in the activation type compute().conv2d, channels last.
namespace keyflow::autoencoder_kl {

constexpr double kNormEps = 1e-6;

/// x + conv(silu(norm(conv(silu(norm(x)))))), x through a 1x1 convolution where the number of channels changes.
class ResnetBlock {
 public:
  ResnetBlock(const weights::Scope& w, int64_t in, int64_t out, int64_t groups);
  at::Tensor operator()(const at::Tensor& x) const;

  bool keeps_channels() const { return !conv_shortcut; }

  // The same in steps, for a picture in pieces: both scales belong to the whole picture.
  ops::ChannelScale scale1(const ops::ChannelMoments& moments_of_x) const { return norm1.scale(moments_of_x); }
  ops::ChannelScale scale2(const ops::ChannelMoments& moments_of_h) const { return norm2.scale(moments_of_h); }
  /// The first convolution's output, h.
  at::Tensor first(const at::Tensor& x, const ops::ChannelScale& scale1) const;
  /// The block's output; h is given up.
  at::Tensor second(const at::Tensor& x, at::Tensor h, const ops::ChannelScale& scale2) const;

 private:
  layers::GroupNorm norm1;
  layers::Conv2d conv1;
  layers::GroupNorm norm2;
  layers::Conv2d conv2;
  std::optional<layers::Conv2d> conv_shortcut;
};

/// x + attention(norm(x)) with one head over all positions.
class AttentionBlock {
 public:
  AttentionBlock(const weights::Scope& w, int64_t channels, int64_t groups);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  layers::GroupNorm group_norm;
  layers::Linear to_q, to_k, to_v, to_out;
  at::ScalarType attention_type_;
};

/// Residual block, attention, residual block, at the lowest resolution.
class MidBlock {
 public:
  MidBlock(const weights::Scope& w, int64_t channels, int64_t groups, bool attention);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  ResnetBlock first;
  std::optional<AttentionBlock> attention;
  ResnetBlock second;
};

/// Halves height and width: a row below and a column to the right of zeros, then a convolution of stride 2.
class Downsample {
 public:
  Downsample(const weights::Scope& w, int64_t channels);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  layers::Conv2d conv;
};

/// Doubles height and width: every pixel four times, then a convolution.
class Upsample {
 public:
  Upsample(const weights::Scope& w, int64_t channels);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  layers::Conv2d conv;
};

}  // namespace keyflow::autoencoder_kl
