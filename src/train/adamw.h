#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace keyflow::train {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.99, eps = 1e-8;
  double weight_decay = 0.01;  ///< on weights of two and more dimensions only
  double clip_norm = 1.0;      ///< gradients are scaled so that their norm over all parameters is at most this; 0 = off
  double ema_decay = 0.999;    ///< of the averaged weights; ramps up as (1 + step) / (10 + step)
};

/// AdamW (Loshchilov and Hutter, 1711.05101, algorithm 2) with an exponential moving average of the weights.
/// A parameter without a gradient is left alone.
class AdamW {
 public:
  AdamW(NamedTensors parameters, const AdamWOptions& options);

  /// One update at this learning rate, then gradients are cleared. Returns the gradient norm before clipping;
  /// throws Error::numeric when it is not finite.
  double step(double learning_rate);

  int64_t steps() const { return steps_; }
  /// The averaged weights, under the parameters' names.
  const NamedTensors& ema() const { return ema_; }
  /// The average starts anew from the parameters as they are.
  void reset_ema();
  /// Everything a resumed run needs besides the parameters: "adamw.m.NAME", "adamw.v.NAME", "ema.NAME", "adamw.steps".
  NamedTensors state() const;
  void load_state(const NamedTensors& state);

 private:
  NamedTensors parameters_, ema_;
  std::vector<at::Tensor> m_, v_;
  AdamWOptions options_;
  int64_t steps_ = 0;
};

}  // namespace keyflow::train
