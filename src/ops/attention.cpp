#include "ops/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>

#include <cmath>
#include <limits>

#include "core/shape.h"

namespace keyflow::ops {
namespace {

void check(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const auto [B, N, L, D] = dims<4>(q, "q");
  require_shape(k, {B, N, -1, D}, "k");
  require_shape(v, k.sizes(), "v");
}

/// libtorch's CPU kernel takes the largest score of a row from -inf upwards, which a row of NaN never exceeds, and
/// hands out zeros for it: one NaN in a query, or in every key, would vanish without trace.
bool hides_nan(const at::Tensor& q, const at::Tensor& k) {
  if (!q.is_cpu()) return false;
  // A sum is finite only if all its terms are; float16 has too short a range for it.
  const auto finite = [](const at::Tensor& x) {
    const at::Tensor sum = x.scalar_type() == at::kHalf ? x.sum(at::kFloat) : x.sum();
    return std::isfinite(sum.item<float>());
  };
  return !finite(q.detach()) || !finite(k.detach());
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionOptions& options) {
  check(q, k, v);
  std::optional<at::Tensor> bias;
  if (options.bias.defined()) bias = options.bias.to(options.type);
  const at::Tensor query = q.to(options.type), key = k.to(options.type);
  const at::Tensor y = at::scaled_dot_product_attention(query, key, v.to(options.type), bias, /*dropout_p=*/0.0,
                                                        /*is_causal=*/false, options.scale);
  return hides_nan(query, key) ? y * std::numeric_limits<double>::quiet_NaN() : y;
}

at::Tensor attention_plain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const AttentionOptions& options) {
  check(q, k, v);
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(3))));
  at::Tensor scores = at::matmul(q.to(options.type), k.to(options.type).transpose(2, 3)).to(at::kFloat) * scale;
  if (options.bias.defined()) scores = scores + options.bias.to(at::kFloat);       // [B, N, L, M]
  return at::matmul(at::softmax(scores, 3).to(options.type), v.to(options.type));  // [B, N, L, D]
}

at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  const auto [B, L, C] = dims<3>(x, "x");
  require(heads > 0 && C % heads == 0, ErrorKind::shape, "x: ", C, " channels do not split into ", heads, " heads");
  return x.view({B, L, heads, C / heads}).transpose(1, 2);  // [B, N, L, D]
}

at::Tensor merge_heads(const at::Tensor& x) {
  return x.transpose(1, 2).flatten(2);  // [B, L, N*D]
}

}  // namespace keyflow::ops
