#include "models/layers/joint_stream.h"

#include "ops/gate.h"
#include "ops/layer_norm.h"

namespace keyflow::layers {

JointStream::JointStream(const weights::Scope& block, const StreamNames& names, const HeadSizes& sizes)
    : projections(block / "attn", names.projections, sizes),
      out(block / "attn" / names.out, sizes.channels(), sizes.channels()),
      ff(block / names.ff, sizes.channels(), 4 * sizes.channels()),
      eps_(sizes.eps),
      linear_(block.compute().linear) {}

Heads JointStream::heads(const at::Tensor& x, const Modulation& m, const at::Tensor& table) const {
  return projections(ops::modulate(x, m.shift_attn, m.scale_attn, eps_, linear_), table);
}

at::Tensor JointStream::add_attention(at::Tensor x, const at::Tensor& attended, const Modulation& m) const {
  return ops::add_gated(std::move(x), out(attended), m.gate_attn);
}

at::Tensor JointStream::feed_forward(const at::Tensor& x, const Modulation& m, int64_t tokens_at_once) const {
  const auto branch = [&](const at::Tensor& tokens, int64_t) {
    return ops::add_gated(tokens, ff(ops::modulate(tokens, m.shift_ffn, m.scale_ffn, eps_, linear_)), m.gate_ffn);
  };
  return in_runs_of_tokens(x, ff.inner(), branch, tokens_at_once);
}

}  // namespace keyflow::layers
