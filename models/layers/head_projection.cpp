#include "models/layers/head_projection.h"

#include <ATen/ops/cat.h>

#include "core/error.h"
#include "ops/attention.h"
#include "ops/qk_norm.h"

namespace keyflow::layers {

using weights::Init;
using weights::Scope;

Heads join(const Heads& first, const Heads& second) {
  // By tokens, as the projections lie in memory: rows are copied whole and merge_heads copies nothing.
  const auto along_tokens = [](const at::Tensor& a, const at::Tensor& b) {
    return at::cat({a.transpose(1, 2), b.transpose(1, 2)}, 1).transpose(1, 2);  // [B, N, L, D]
  };
  return {along_tokens(first.query, second.query), along_tokens(first.key, second.key),
          along_tokens(first.value, second.value)};
}

at::Tensor attend(const Heads& heads) {
  return ops::merge_heads(
      ops::attention(heads.query, heads.key, heads.value, {.type = heads.query.scalar_type()}));  // [B, L, N*D]
}

HeadProjection::HeadProjection(const Scope& w, const ProjectionNames& names, const HeadSizes& sizes)
    : q(w / names.q, sizes.channels(), sizes.channels()),
      k(w / names.k, sizes.channels(), sizes.channels()),
      v(w / names.v, sizes.channels(), sizes.channels()),
      sizes_(sizes),
      type_(w.compute().attention) {
  if (sizes.qk_norm == QkNorm::none) return;
  norm_q = (w / names.norm_q).tensor("weight", {sizes.head_size}, Init::ones).to(at::kFloat);
  norm_k = (w / names.norm_k).tensor("weight", {sizes.head_size}, Init::ones).to(at::kFloat);
}

at::Tensor HeadProjection::normed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& table) const {
  if (weight.defined()) return ops::qk_norm(x, weight, table, sizes_.heads, sizes_.eps, type_);
  require(!table.defined(), ErrorKind::internal, "heads: a rotary embedding without a norm before it");
  return ops::split_heads(x, sizes_.heads).to(type_);  // [B, N, L, D]
}

Heads HeadProjection::operator()(const at::Tensor& x, const at::Tensor& table) const {
  return {normed(q(x), norm_q, table), normed(k(x), norm_k, table), ops::split_heads(v(x), sizes_.heads).to(type_)};
}

}  // namespace keyflow::layers
