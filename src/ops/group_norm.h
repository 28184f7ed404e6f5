#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/channel_norm.h"

namespace keyflow::ops {

/// What group_norm does besides.
struct GroupNormExtras {
  std::optional<at::ScalarType> type = {};  ///< of the result; that of x if absent
  at::Tensor shift = {};                    ///< [B, C] float32, added to x before the norm; none if undefined
};

/// (x - mean) / sqrt(variance + eps) · weight + bias, then perhaps SiLU; mean and variance over each group of C /
/// groups neighbouring channels and all positions, in double. Two passes over memory, channels last; where a gradient
/// is wanted the plain twin runs.
///
/// x             [B, C, H, W] or [B, C, T, H, W], float32 or bfloat16 (other ranks and types go the plain way)
/// groups        divides C
/// weight, bias  [C] float32
/// return        same shape, channels last
/// throws        Error::shape
/// source        Group Normalization (1803.08494) eq. 1 and 2
at::Tensor group_norm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                      AfterNorm after, const GroupNormExtras& extras = {});

/// The same by library calls, in float32: the twin that tests compare with.
at::Tensor group_norm_plain(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                            double eps, AfterNorm after, const GroupNormExtras& extras = {});

// The same in its two halves, for a picture that comes in pieces:
//   ChannelMoments moments;
//   for (piece) moments.add(piece);
//   const ChannelScale scale = moments.scale(groups, weight, bias, eps);
//   for (piece) scale_channels(piece, scale, after);

/// What group normalisation does to each channel: x · gain + offset.
struct ChannelScale {
  at::Tensor gain, offset;  ///< [B, C] float32
};

/// Number, mean and squared deviations of each channel's values, gathered piece by piece.
class ChannelMoments {
 public:
  /// piece [B, C, ...]; B and C as in the pieces before. Throws Error::shape.
  void add(const at::Tensor& piece);
  /// Of everything added, each value with `shift` [B, C] on top where that is defined. Throws Error::shape if that is
  /// nothing, or `groups` does not divide C.
  ChannelScale scale(int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                     const at::Tensor& shift = {}) const;

 private:
  int64_t count_ = 0;
  at::Tensor mean_, deviations_;  // [B, C] double; deviations: sum of (x - mean)²
};

/// x · gain + offset, then perhaps SiLU; shapes and types as in group_norm.
at::Tensor scale_channels(const at::Tensor& x, const ChannelScale& scale, AfterNorm after,
                          std::optional<at::ScalarType> type = {});

}  // namespace keyflow::ops
