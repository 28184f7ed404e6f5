#pragma once
#include <string>

#include "weights/scope.h"

namespace keyflow::bench {

/// Weights for timing: frozen, bf16 as most checkpoints are, of a size that keeps activations near one. A few million
/// random values repeat, so that a model of any size is made in a second.
class RandomSource final : public weights::Source {
 public:
  RandomSource();
  at::Tensor get(const std::string& name, at::IntArrayRef shape, weights::Init init, int64_t fan_in) override;

 private:
  at::Tensor values_;
};

}  // namespace keyflow::bench
