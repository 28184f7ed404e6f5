#pragma once
#include <ATen/core/Tensor.h>

#include "ops/group_norm.h"
#include "weights/scope.h"

namespace keyflow::layers {

/// Group normalisation over channels and positions, with the SiLU that may follow it. "weight" [C] and "bias" [C].
class GroupNorm {
 public:
  GroupNorm(const weights::Scope& w, int64_t channels, int64_t groups, double eps);
  /// x [B, C, ...], any float; return same shape and type (extras: another type, a summand before), statistics in
  /// double
  at::Tensor operator()(const at::Tensor& x, ops::AfterNorm after = ops::AfterNorm::nothing,
                        const ops::GroupNormExtras& extras = {}) const;
  /// What the norm does to a picture of these moments, to be applied to its pieces by ops::scale_channels.
  ops::ChannelScale scale(const ops::ChannelMoments& moments) const;

 private:
  at::Tensor weight_, bias_;
  int64_t groups_;
  double eps_;
};

}  // namespace keyflow::layers
