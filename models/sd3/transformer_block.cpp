#include "models/sd3/transformer_block.h"

#include <algorithm>

#include "ops/gate.h"
#include "ops/layer_norm.h"

namespace keyflow::sd3 {

using layers::attend;
using layers::Heads;
using layers::HeadSizes;
using layers::join;
using layers::modulation_of;
using layers::Streams;
using weights::Scope;

namespace {

constexpr double kEps = 1e-6;  // of every norm

HeadSizes sizes_of(const TransformerConfig& config) {
  const auto norm = config.qk_norm ? layers::QkNorm::rms : layers::QkNorm::none;
  return {config.num_attention_heads, config.attention_head_dim, norm, kEps};
}

bool is_dual(const TransformerConfig& config, int64_t index) {
  const auto& dual = config.dual_attention_layers;
  return std::find(dual.begin(), dual.end(), index) != dual.end();
}

}  // namespace

JointBlock::SecondAttention::SecondAttention(const Scope& w, const HeadSizes& sizes)
    : projections(w, layers::kPictureProjections, sizes), out(w / "to_out.0", sizes.channels(), sizes.channels()) {}

JointBlock::Text::Text(const Scope& block, const HeadSizes& sizes)
    : norm1_context(block / "norm1_context", sizes.channels(), 6), stream(block, layers::kTextStream, sizes) {}

JointBlock::LastText::LastText(const Scope& block, const HeadSizes& sizes)
    : norm1_context(block / "norm1_context", sizes.channels(), kEps),
      projections(block / "attn", layers::kTextProjections, sizes) {}

JointBlock::JointBlock(const Scope& w, const TransformerConfig& config, int64_t index)
    : norm1(w / "norm1", config.dim(), is_dual(config, index) ? 9 : 6),
      picture_(w, layers::kPictureStream, sizes_of(config)),
      linear_(w.compute().linear) {
  const HeadSizes sizes = sizes_of(config);
  if (is_dual(config, index)) attn2.emplace(w / "attn2", sizes);
  if (index + 1 < config.num_layers) {
    text_.emplace(w, sizes);
  } else {
    last_text_.emplace(w, sizes);
  }
}

Streams JointBlock::operator()(Streams streams, const at::Tensor& condition) const {
  auto& [picture, text] = streams;
  const auto parts = norm1(condition);  // shift, scale, gate of attention, MLP and, where it is dual, attn2
  const layers::Modulation m = modulation_of(parts);
  const Heads own = picture_.heads(picture, m);
  // Of the stream as it comes in, so before the branches add to it.
  Heads second;
  if (attn2) second = attn2->projections(ops::modulate(picture, parts[6], parts[7], kEps, linear_));
  if (text_) {
    const int64_t L = picture.size(1), M = text.size(1);
    const layers::Modulation t = modulation_of(text_->norm1_context(condition));
    const at::Tensor y = attend(join(own, text_->stream.heads(text, t)));  // [B, L+M, C]
    picture = picture_.add_attention(std::move(picture), y.narrow(1, 0, L), m);
    text = text_->stream.add_attention(std::move(text), y.narrow(1, L, M), t);
    text = text_->stream.feed_forward(text, t);
  } else {
    Heads joint = join(own, last_text_->projections(last_text_->norm1_context(text, condition, linear_)));
    joint.query = own.query;
    picture = picture_.add_attention(std::move(picture), attend(joint), m);
    text = at::Tensor();
  }
  if (attn2) picture = ops::add_gated(std::move(picture), attn2->out(attend(second)), parts[8]);
  picture = picture_.feed_forward(picture, m);
  return streams;
}

}  // namespace keyflow::sd3
