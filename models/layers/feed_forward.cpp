#include "models/layers/feed_forward.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "ops/gelu.h"

namespace keyflow::layers {

FeedForward::FeedForward(const weights::Scope& w, int64_t channels, int64_t inner)
    : up(w / "net.0.proj", channels, inner), down(w / "net.2", inner, channels), inner_(inner) {}

at::Tensor FeedForward::operator()(const at::Tensor& x) const { return down(ops::gelu_tanh(up(x))); }

at::Tensor in_runs_of_tokens(const at::Tensor& x, int64_t inner,
                             const std::function<at::Tensor(const at::Tensor& tokens, int64_t start)>& branch,
                             int64_t tokens_at_once) {
  constexpr int64_t kValues = int64_t{32} << 20;
  const int64_t L = x.size(1), budget = tokens_at_once > 0 ? tokens_at_once : std::max<int64_t>(256, kValues / inner);
  const int64_t most = std::max<int64_t>(1, budget / x.size(0));
  if (at::GradMode::is_enabled() || L <= most) return branch(x, 0);
  const int64_t parts = (L + most - 1) / most, step = (L + parts - 1) / parts;
  for (int64_t start = 0; start < L; start += step) branch(x.narrow(1, start, std::min(step, L - start)), start);
  return x;
}

}  // namespace keyflow::layers
