#include "models/sd/attention.h"

#include "models/layers/feed_forward.h"
#include "models/sd/res_block.h"
#include "ops/attention.h"
#include "ops/gate.h"
#include "ops/geglu.h"
#include "ops/layer_norm.h"

namespace keyflow::sd {

using layers::Bias;
using layers::Linear;
using weights::Init;
using weights::Scope;

namespace {

// Neither stands in a config.json.
constexpr double kTokenNormEps = 1e-5, kPictureNormEps = 1e-6;

/// Both are one linear layer over channels; files differ in the shape they give it.
Linear projection(const Scope& w, int64_t channels, bool linear) {
  return linear ? Linear(w, channels, channels) : Linear::pointwise(w, channels, channels);
}

}  // namespace

Attention::Attention(const Scope& w, const AttentionSizes& sizes, int64_t context)
    : to_q(w / "to_q", sizes.channels, sizes.channels, Bias::no),
      to_k(w / "to_k", context, sizes.channels, Bias::no),
      to_v(w / "to_v", context, sizes.channels, Bias::no),
      to_out(w / "to_out" / 0, sizes.channels, sizes.channels),
      heads_(sizes.heads),
      type_(sizes.upcast ? at::kFloat : w.compute().attention) {}

at::Tensor Attention::operator()(const at::Tensor& x, const at::Tensor& context) const {
  const at::Tensor q = ops::split_heads(to_q(x), heads_), k = ops::split_heads(to_k(context), heads_),
                   v = ops::split_heads(to_v(context), heads_);  // [B, N, L, D]
  return to_out(ops::merge_heads(ops::attention(q, k, v, {.type = type_})));
}

GatedFeedForward::GatedFeedForward(const Scope& w, int64_t channels)
    : up(w / "net" / 0 / "proj", channels, 8 * channels), down(w / "net" / 2, 4 * channels, channels) {}

at::Tensor GatedFeedForward::operator()(const at::Tensor& x) const { return down(ops::geglu(up(x))); }

TransformerBlock::Norm::Norm(const Scope& w, int64_t channels)
    : weight(w.tensor("weight", {channels}, Init::ones).to(at::kFloat).view({1, 1, channels})),
      bias(w.tensor("bias", {channels}, Init::zeros).to(at::kFloat).view({1, 1, channels})),
      type(w.compute().linear) {}

at::Tensor TransformerBlock::Norm::operator()(const at::Tensor& x) const {
  return ops::layer_norm(x, weight, bias, kTokenNormEps, type);
}

TransformerBlock::TransformerBlock(const Scope& w, const AttentionSizes& sizes)
    : norm1(w / "norm1", sizes.channels),
      norm2(w / "norm2", sizes.channels),
      norm3(w / "norm3", sizes.channels),
      attn1(w / "attn1", sizes, sizes.channels),
      attn2(w / "attn2", sizes, sizes.context),
      ff(w / "ff", sizes.channels),
      channels_(sizes.channels) {}

at::Tensor TransformerBlock::operator()(at::Tensor x, const at::Tensor& text) const {
  const at::Tensor tokens = norm1(x);  // [B, L, C]
  x = ops::add_gated(std::move(x), attn1(tokens, tokens));
  const at::Tensor asking = norm2(x);  // [B, L, C]
  x = ops::add_gated(std::move(x), attn2(asking, text));
  return layers::in_runs_of_tokens(x, 8 * channels_, [&](const at::Tensor& run, int64_t) {
    const at::Tensor h = norm3(run);
    return ops::add_gated(run, ff(h));
  });
}

SpatialTransformer::SpatialTransformer(const Scope& w, const AttentionSizes& sizes, int64_t depth,
                                       const UNetConfig& config)
    : norm(w / "norm", sizes.channels, config.norm_num_groups, kPictureNormEps),
      proj_in(projection(w / "proj_in", sizes.channels, config.use_linear_projection)),
      proj_out(projection(w / "proj_out", sizes.channels, config.use_linear_projection)),
      type_(w.compute().linear) {
  for (int64_t i = 0; i < depth; ++i) blocks_.emplace_back(w / "transformer_blocks" / i, sizes);
}

at::Tensor SpatialTransformer::operator()(at::Tensor x, const at::Tensor& text) const {
  const int64_t H = x.size(2), W = x.size(3);
  at::Tensor tokens =
      proj_in(to_tokens(norm(x, ops::AfterNorm::nothing, {.type = type_}))).to(at::kFloat);  // [B, L, C]
  for (const auto& block : blocks_) tokens = block(std::move(tokens), text);
  const at::Tensor out = proj_out(tokens);
  return to_picture(ops::add_gated(to_tokens(std::move(x)), out), H, W);
}

}  // namespace keyflow::sd
