#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "models/layers/conv.h"
#include "models/layers/group_norm.h"
#include "models/taesd/config.h"
#include "weights/scope.h"

// The tiny autoencoders of madebyollin: TAESD, TAESDXL, TAESD3, TAEF1 and TAEF2, distilled from the big ones and some
// fifty times as fast. Pixels [B, 3, H, W] in [-1, 1], H and W multiples of stride(); latents [B, Z, h, w] as the
// denoiser sees them: already scaled. source taesd taesd.py@5cccb12
namespace keyflow::taesd {

/// relu(conv(relu(conv(relu(conv(x))))) + x); TAEF2's adds relu(norm(x)) between two 1x1 convolutions to x before.
class Block {
 public:
  enum class Pool { none, normed };
  Block(const weights::Scope& w, int64_t width, Pool pool);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  struct Branch {
    Branch(const weights::Scope& w, int64_t width);
    layers::Conv2d widen;
    layers::GroupNorm norm;
    layers::Conv2d narrow;
  };
  std::optional<Branch> pool;
  layers::Conv2d conv0, conv2, conv4;
};

/// Blocks of one resolution, and the convolution between this one and the next level's.
struct Level {
  std::vector<Block> blocks;
  std::optional<layers::Conv2d> conv;
};

class Encoder {
 public:
  Encoder(const weights::Scope& w, const TinyConfig& config);
  /// pixels -> latents, float32. Throws Error::shape.
  at::Tensor operator()(const at::Tensor& pixels) const;
  const TinyConfig& config() const { return config_; }

 private:
  TinyConfig config_;
  std::vector<Level> levels_;  // conv: into the level
  std::optional<layers::Conv2d> conv_out_;
};

class Decoder {
 public:
  Decoder(const weights::Scope& w, const TinyConfig& config);
  /// latents, of any size -> pixels, float32, not clamped. Throws Error::shape.
  at::Tensor operator()(const at::Tensor& latents) const;
  const TinyConfig& config() const { return config_; }

 private:
  TinyConfig config_;
  std::optional<layers::Conv2d> conv_in_;
  std::vector<Level> levels_;  // conv: out of the level, the last one's into pixels
};

}  // namespace keyflow::taesd
