#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "models/layers/linear.h"
#include "weights/scope.h"

namespace keyflow::layers {

/// Linear, GELU (tanh), Linear: "net.0.proj" [inner, C] and "net.2" [C, inner].
class FeedForward {
 public:
  FeedForward(const weights::Scope& w, int64_t channels, int64_t inner);
  /// x [B, L, C]; return [B, L, C] in compute().linear
  at::Tensor operator()(const at::Tensor& x) const;
  int64_t inner() const { return inner_; }

 private:
  layers::Linear up, down;
  int64_t inner_;
};

/// Runs a residual branch over the stream x in runs of tokens, so that an inner tensor of `inner` channels stays near
/// 128 MiB. Where gradients are wanted all tokens go at once; otherwise the branch must add into the view it is given.
///
/// x               [B, L, C] float32, given up by the caller
/// branch          from x.narrow(1, start, count) to the same tokens after the branch, called with (tokens, start)
/// tokens_at_once  over the whole batch; 0 chooses
/// return          [B, L, C] float32
at::Tensor in_runs_of_tokens(const at::Tensor& x, int64_t inner,
                             const std::function<at::Tensor(const at::Tensor& tokens, int64_t start)>& branch,
                             int64_t tokens_at_once = 0);

}  // namespace keyflow::layers
