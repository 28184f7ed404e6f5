#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "models/layers/conv.h"
#include "ops/channel_norm.h"
#include "weights/scope.h"

// Shapes here: [B, C, T, H, W] in the activation type compute().conv3d, channels last.
namespace keyflow::wan {

/// What a streamed pass remembers between chunks: for every temporal convolution its last input frames.
/// A null Stream* means that the whole sequence is given at once; both forms give the same values
/// (source: Wan2.1 wan/modules/vae.py@9737cba, CausalConv3d and feat_cache).
struct Stream {
  std::vector<at::Tensor> slots;
  bool first = true;  ///< no chunk has been seen yet
};

/// Hands each temporal convolution its slot, in the order of construction.
struct SlotCounter {
  size_t next = 0;
};

/// Convolution over 3x3x3, 3x1x1 or 1x1x1 that sees no later frame: the time axis is padded in front only, with the
/// frames that came before or zeros.
class CausalConv3d {
 public:
  CausalConv3d(const weights::Scope& w, int64_t in, int64_t out, int64_t kernel_t, int64_t kernel_hw,
               SlotCounter& slots);
  at::Tensor operator()(const at::Tensor& x, Stream* stream) const;

 private:
  layers::Weight weight_, bias_;
  int64_t kernel_t_, padding_hw_;
  size_t slot_;
};

/// x / ‖x‖ · √C · gamma over channels, then perhaps SiLU; float32 inside. "gamma" is [C, 1, 1, 1] where the published
/// network norms videos, [C, 1, 1] where it norms single frames.
class ChannelNorm {
 public:
  enum class Rank { video, frame };
  ChannelNorm(const weights::Scope& w, int64_t channels, ops::AfterNorm after, Rank rank);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor gamma_;  // [C]
  ops::AfterNorm after_;
};

class Block {
 public:
  virtual ~Block() = default;
  virtual at::Tensor operator()(const at::Tensor& x, Stream* stream) const = 0;
};

class ResidualBlock final : public Block {
 public:
  ResidualBlock(const weights::Scope& w, int64_t in, int64_t out, SlotCounter& slots);
  at::Tensor operator()(const at::Tensor& x, Stream* stream) const override;

 private:
  ChannelNorm norm1_, norm2_;
  CausalConv3d conv1_, conv2_;
  std::unique_ptr<CausalConv3d> shortcut_;
};

/// Single-head attention over the positions of each frame.
class AttentionBlock final : public Block {
 public:
  AttentionBlock(const weights::Scope& w, int64_t channels);
  at::Tensor operator()(const at::Tensor& x, Stream* stream) const override;

 private:
  ChannelNorm norm_;
  layers::Conv2d to_qkv_, proj_;
  at::ScalarType attention_type_;
};

enum class InTime { no, yes };

/// Halves height and width, and, InTime::yes, the number of frames (the first frame stands alone).
class Downsample final : public Block {
 public:
  Downsample(const weights::Scope& w, int64_t channels, InTime in_time, SlotCounter& slots);
  at::Tensor operator()(const at::Tensor& x, Stream* stream) const override;

 private:
  layers::Conv2d conv_;
  std::unique_ptr<layers::Conv3d> time_conv_;
  size_t slot_;
};

/// Doubles height and width, halves the channels, and, InTime::yes, doubles every frame but the first.
class Upsample final : public Block {
 public:
  Upsample(const weights::Scope& w, int64_t channels, InTime in_time, SlotCounter& slots);
  at::Tensor operator()(const at::Tensor& x, Stream* stream) const override;

 private:
  layers::Conv2d conv_;
  std::unique_ptr<CausalConv3d> time_conv_;
};

}  // namespace keyflow::wan
