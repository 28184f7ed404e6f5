#pragma once
#include <functional>

namespace keyflow::bench {

/// What a run spent in matrix products, convolutions and attention, read off libtorch's own operator calls.
struct OpCount {
  double flop = 0;  ///< 2 x multiply-adds of those operators
  double matmul_s = 0, conv_s = 0, attention_s = 0;
  double total_s = 0;  ///< wall clock of the whole run
  double outside() const { return total_s > 0 ? 1 - (matmul_s + conv_s + attention_s) / total_s : 0; }
};

/// Runs once with every operator watched, which costs some microseconds a call: time the run apart from this.
OpCount count_operators(const std::function<void()>& run);

}  // namespace keyflow::bench
