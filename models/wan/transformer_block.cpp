#include "models/wan/transformer_block.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "ops/gate.h"
#include "ops/gelu.h"
#include "ops/layer_norm.h"

namespace keyflow::wan {

using weights::Init;
using weights::Scope;

FeedForward::FeedForward(const Scope& w, const TransformerConfig& config)
    : up(w / 0, config.dim, config.ffn_dim), down(w / 2, config.ffn_dim, config.dim), inner_(config.ffn_dim) {}

at::Tensor FeedForward::operator()(const at::Tensor& x) const { return down(ops::gelu_tanh(up(x))); }

int64_t FeedForward::tokens_at_once() const { return std::max<int64_t>(256, (int64_t{32} << 20) / inner_); }

TransformerBlock::AffineNorm::AffineNorm(const Scope& w, int64_t channels)
    : weight(w.tensor("weight", {channels}, Init::ones).to(at::kFloat).view({1, 1, channels})),
      bias(w.tensor("bias", {channels}, Init::zeros).to(at::kFloat).view({1, 1, channels})) {}

TransformerBlock::TransformerBlock(const Scope& w, const TransformerConfig& config)
    : modulation_(w.tensor("modulation", {1, 6, config.dim}, Init::normal_02).to(at::kFloat)),
      self_attn(w / "self_attn", config),
      norm3(w / "norm3", config.dim),
      cross_attn(w / "cross_attn", config),
      ffn(w / "ffn", config),
      eps_(config.eps),
      linear_(w.compute().linear) {}

Modulation TransformerBlock::modulation(const at::Tensor& e0) const {
  const auto m = (modulation_ + e0).split(1, 1);  // six of [B, 1, C]
  return {m[0], m[1], m[2], m[3], m[4], m[5]};
}

at::Tensor TransformerBlock::self_attention(at::Tensor x, const Modulation& m, const at::Tensor& table) const {
  const at::Tensor h = ops::modulate(x, m.shift_attn, m.scale_attn, eps_, linear_);  // [B, L, C]
  return ops::add_gated(std::move(x), self_attn(h, table), m.gate_attn);
}

at::Tensor TransformerBlock::cross_attention(at::Tensor x, const KeyValue& text, const KeyValue& image) const {
  const at::Tensor h = ops::layer_norm(x, norm3.weight, norm3.bias, eps_, linear_);  // [B, L, C]
  return ops::add_gated(std::move(x), cross_attn(h, text, image));
}

at::Tensor TransformerBlock::feed_forward(at::Tensor x, const Modulation& m, int64_t tokens_at_once) const {
  const int64_t L = x.size(1), budget = tokens_at_once > 0 ? tokens_at_once : ffn.tokens_at_once();
  const int64_t most = std::max<int64_t>(1, budget / x.size(0));
  const auto branch = [&](const at::Tensor& tokens) {
    const at::Tensor h = ops::modulate(tokens, m.shift_ffn, m.scale_ffn, eps_, linear_);
    return ops::add_gated(tokens, ffn(h), m.gate_ffn);
  };
  if (at::GradMode::is_enabled() || L <= most) return branch(x);
  const int64_t parts = (L + most - 1) / most, step = (L + parts - 1) / parts;
  for (int64_t start = 0; start < L; start += step) branch(x.narrow(1, start, std::min(step, L - start)));
  return x;
}

}  // namespace keyflow::wan
