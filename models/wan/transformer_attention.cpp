#include "models/wan/transformer_attention.h"

#include <ATen/TensorOperators.h>

#include "core/error.h"
#include "ops/attention.h"
#include "ops/qk_norm.h"

namespace keyflow::wan {

using weights::Init;
using weights::Scope;

QkNorm::QkNorm(const Scope& w, const TransformerConfig& config)
    : weight_(w.tensor("weight", {config.dim}, Init::ones).to(at::kFloat)),
      heads_(config.num_heads),
      eps_(config.eps),
      type_(w.compute().attention) {}

at::Tensor QkNorm::operator()(const at::Tensor& x, const at::Tensor& table) const {
  return ops::qk_norm(x, weight_, table, heads_, eps_, type_);
}

SelfAttention::SelfAttention(const Scope& w, const TransformerConfig& config)
    : q(w / "q", config.dim, config.dim),
      k(w / "k", config.dim, config.dim),
      v(w / "v", config.dim, config.dim),
      o(w / "o", config.dim, config.dim),
      norm_q(w / "norm_q", config),
      norm_k(w / "norm_k", config),
      heads_(config.num_heads),
      type_(w.compute().attention) {}

at::Tensor SelfAttention::operator()(const at::Tensor& x, const at::Tensor& table) const {
  const at::Tensor query = norm_q(q(x), table), key = norm_k(k(x), table);  // [B, N, L, D]
  const at::Tensor value = ops::split_heads(v(x), heads_);                  // [B, N, L, D]
  return o(ops::merge_heads(ops::attention(query, key, value, {.type = type_})));
}

CrossAttention::ImageBranch::ImageBranch(const Scope& w, const TransformerConfig& config)
    : k_img(w / "k_img", config.dim, config.dim),
      v_img(w / "v_img", config.dim, config.dim),
      norm_k_img(w / "norm_k_img", config) {}

CrossAttention::CrossAttention(const Scope& w, const TransformerConfig& config)
    : q(w / "q", config.dim, config.dim),
      k(w / "k", config.dim, config.dim),
      v(w / "v", config.dim, config.dim),
      o(w / "o", config.dim, config.dim),
      norm_q(w / "norm_q", config),
      norm_k(w / "norm_k", config),
      heads_(config.num_heads),
      type_(w.compute().attention) {
  if (config.image_dim > 0) image_.emplace(w, config);
}

KeyValue CrossAttention::text(const at::Tensor& context) const {
  return {norm_k(k(context)), ops::split_heads(v(context), heads_).to(type_)};
}

KeyValue CrossAttention::image(const at::Tensor& context) const {
  require(image_.has_value(), ErrorKind::unsupported, "wan: this checkpoint has no image branch");
  return {image_->norm_k_img(image_->k_img(context)), ops::split_heads(image_->v_img(context), heads_).to(type_)};
}

at::Tensor CrossAttention::operator()(const at::Tensor& x, const KeyValue& text, const KeyValue& image) const {
  const at::Tensor query = norm_q(q(x));  // [B, N, L, D]
  at::Tensor y = ops::attention(query, text.key, text.value, {.type = type_});
  if (image.key.defined()) y = y + ops::attention(query, image.key, image.value, {.type = type_});
  return o(ops::merge_heads(y));  // [B, L, C]
}

}  // namespace keyflow::wan
