#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace keyflow::pipeline {

/// The colours a frame should have: mean and deviation of each channel of its keyframe.
struct ColourTarget {
  int64_t frame = 0;           ///< within the segment
  at::Tensor mean, deviation;  ///< [3, 1, 1] float32
};
ColourTarget colour_target(int64_t frame, const at::Tensor& picture);

/// Moves the mean and deviation of each channel of a frame onto the keyframes' (Reinhard et al. 2001, in RGB); between
/// two keyframes the target is interpolated, before the first and after the last it is theirs.
class ColourMatch {
 public:
  void begin(std::vector<ColourTarget> targets) { targets_ = std::move(targets); }
  /// frame [3, H, W] float32; the same where there are no targets
  at::Tensor operator()(const at::Tensor& frame, int64_t number);
  /// "colours at the keyframes: 4.1 of 255 off before, 0.2 after"; "" when none was matched.
  std::string note() const;

 private:
  std::vector<ColourTarget> targets_;
  double before_ = 0, after_ = 0;
  int64_t matched_ = 0;
};

}  // namespace keyflow::pipeline
