#include "models/flux/transformer_block.h"

#include <ATen/ops/cat.h>

#include "ops/gate.h"
#include "ops/gelu.h"
#include "ops/layer_norm.h"

namespace keyflow::flux {

using layers::attend;
using layers::join;
using layers::modulation_of;
using layers::Streams;
using weights::Scope;

namespace {

constexpr double kEps = 1e-6;  // of every norm

layers::HeadSizes sizes_of(const TransformerConfig& config) {
  return {config.num_attention_heads, config.attention_head_dim, layers::QkNorm::rms, kEps};
}

}  // namespace

DoubleBlock::DoubleBlock(const Scope& w, const TransformerConfig& config)
    : norm1(w / "norm1", config.dim(), 6),
      norm1_context(w / "norm1_context", config.dim(), 6),
      picture_(w, layers::kPictureStream, sizes_of(config)),
      text_(w, layers::kTextStream, sizes_of(config)) {}

Streams DoubleBlock::operator()(Streams streams, const at::Tensor& condition, const at::Tensor& table) const {
  const int64_t M = streams.text.size(1), L = streams.picture.size(1);
  const layers::Modulation m = modulation_of(norm1(condition)), t = modulation_of(norm1_context(condition));
  const at::Tensor y = attend(join(text_.heads(streams.text, t, table.narrow(0, 0, M)),
                                   picture_.heads(streams.picture, m, table.narrow(0, M, L))));  // [B, M+L, C]
  streams.picture = picture_.add_attention(std::move(streams.picture), y.narrow(1, M, L), m);
  streams.text = text_.add_attention(std::move(streams.text), y.narrow(1, 0, M), t);
  return {picture_.feed_forward(streams.picture, m), text_.feed_forward(streams.text, t)};
}

SingleBlock::SingleBlock(const Scope& w, const TransformerConfig& config)
    : norm(w / "norm", config.dim(), 3),
      projections(w / "attn", layers::kPictureProjections, sizes_of(config)),
      proj_mlp(w / "proj_mlp", config.dim(), 4 * config.dim()),
      proj_out(w / "proj_out", 5 * config.dim(), config.dim()),
      linear_(w.compute().linear),
      inner_(5 * config.dim()) {}

at::Tensor SingleBlock::operator()(const at::Tensor& x, const at::Tensor& condition, const at::Tensor& table,
                                   int64_t tokens_at_once) const {
  const auto m = norm(condition);                                         // shift, scale, gate, [B, 1, C]
  const at::Tensor h = ops::modulate(x, m[0], m[1], kEps, linear_);       // [B, M+L, C]
  const at::Tensor attended = attend(projections(h, table)).to(linear_);  // [B, M+L, C]
  const auto branch = [&](const at::Tensor& tokens, int64_t start) {
    const auto same = [&](const at::Tensor& whole) { return whole.narrow(1, start, tokens.size(1)); };
    const at::Tensor both = at::cat({same(attended), ops::gelu_tanh(proj_mlp(same(h)))}, 2);  // [B, L', 5*C]
    return ops::add_gated(tokens, proj_out(both), m[2]);
  };
  return layers::in_runs_of_tokens(x, inner_, branch, tokens_at_once);
}

}  // namespace keyflow::flux
