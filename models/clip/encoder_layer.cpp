#include "models/clip/encoder_layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/sigmoid.h>

#include "ops/attention.h"
#include "ops/gate.h"

namespace keyflow::clip {

EncoderLayer::EncoderLayer(const weights::Scope& w, const LayerSizes& sizes)
    : layer_norm1(w / "layer_norm1", sizes.width, sizes.eps),
      q_proj(w / "self_attn" / "q_proj", sizes.width, sizes.width),
      k_proj(w / "self_attn" / "k_proj", sizes.width, sizes.width),
      v_proj(w / "self_attn" / "v_proj", sizes.width, sizes.width),
      out_proj(w / "self_attn" / "out_proj", sizes.width, sizes.width),
      layer_norm2(w / "layer_norm2", sizes.width, sizes.eps),
      fc1(w / "mlp" / "fc1", sizes.width, sizes.mlp_width),
      fc2(w / "mlp" / "fc2", sizes.mlp_width, sizes.width),
      heads_(sizes.heads),
      quick_gelu_(sizes.quick_gelu),
      attention_type_(w.compute().attention) {}

at::Tensor EncoderLayer::attention(const at::Tensor& x, const at::Tensor& bias) const {
  const at::Tensor h = layer_norm1(x);  // [B, L, C]
  const at::Tensor q = ops::split_heads(q_proj(h), heads_), k = ops::split_heads(k_proj(h), heads_),
                   v = ops::split_heads(v_proj(h), heads_);  // [B, N, L, D]
  return out_proj(ops::merge_heads(ops::attention(q, k, v, {.type = attention_type_, .bias = bias})));
}

at::Tensor EncoderLayer::mlp(const at::Tensor& x) const {
  const at::Tensor h = fc1(layer_norm2(x));
  return fc2(quick_gelu_ ? h * at::sigmoid(h * 1.702) : at::gelu(h));
}

at::Tensor EncoderLayer::operator()(at::Tensor x, const at::Tensor& bias) const {
  const at::Tensor attended = attention(x, bias);
  x = ops::add_gated(std::move(x), attended);
  const at::Tensor widened = mlp(x);
  return ops::add_gated(std::move(x), widened);
}

}  // namespace keyflow::clip
