#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "models/layers/conv.h"
#include "models/layers/group_norm.h"
#include "models/layers/linear.h"
#include "models/sd/config.h"
#include "weights/scope.h"

namespace keyflow::sd {

/// The pixels of a picture as tokens, and back; views where the picture lies channels last.
/// [B, C, H, W] <-> [B, H*W, C]
at::Tensor to_tokens(const at::Tensor& picture);
at::Tensor to_picture(const at::Tensor& tokens, int64_t height, int64_t width);

/// Two convolutions, each after group norm and SiLU, around which x flows on; the time is added between them.
/// The stream x is float32, channels last; compute().conv2d is the type inside.
class ResBlock {
 public:
  ResBlock(const weights::Scope& w, int64_t in, int64_t out, const UNetConfig& config);
  /// x [B, in, H, W] float32; time [B, time_embed_dim] float32, after its SiLU
  /// return [B, out, H, W] float32, a tensor of its own
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& time) const;

 private:
  layers::GroupNorm norm1, norm2;
  layers::Conv2d conv1, conv2;
  layers::Linear time_emb_proj;
  std::optional<layers::Linear> conv_shortcut;
  at::ScalarType type_;
};

/// Halves the edges by a convolution of stride 2; odd edges round up.
class Downsample {
 public:
  Downsample(const weights::Scope& w, int64_t channels);
  /// x [B, C, H, W]; return [B, C, (H+1)/2, (W+1)/2] float32
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  layers::Conv2d conv;
};

/// Doubles the edges by repeating pixels, up to the size the skip connections have, then convolves.
class Upsample {
 public:
  Upsample(const weights::Scope& w, int64_t channels);
  /// x [B, C, H, W]; return [B, C, height, width] float32
  at::Tensor operator()(const at::Tensor& x, int64_t height, int64_t width) const;

 private:
  layers::Conv2d conv;
  at::ScalarType type_;
};

}  // namespace keyflow::sd
