#include "models/t5/encoder.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

#include "core/shape.h"
#include "models/t5/keys.h"
#include "ops/attention.h"
#include "ops/gelu.h"
#include "weights/plan.h"

namespace keyflow::t5 {

using layers::Bias;
using weights::Init;
using weights::Scope;

int64_t relative_bucket(int64_t distance, const EncoderConfig& config) {
  const int64_t half = config.relative_attention_num_buckets / 2, exact = half / 2;
  const int64_t base = distance > 0 ? half : 0, n = std::abs(distance);
  if (n < exact) return base + n;
  // float32, as the source computes it: the borders of the buckets hang on the rounding.
  const float ratio = std::log(static_cast<float>(n) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(config.relative_attention_max_distance) /
                                                  static_cast<double>(exact)));
  const auto step = static_cast<int64_t>(ratio * static_cast<float>(half - exact));
  return base + std::min(half - 1, exact + step);
}

Encoder::Layer::Layer(const Scope& w, const EncoderConfig& config, bool has_bias)
    : norm1(w / "norm1", config.d_model, config.layer_norm_epsilon),
      q(w / "attn" / "q", config.d_model, config.num_heads * config.d_kv, Bias::no),
      k(w / "attn" / "k", config.d_model, config.num_heads * config.d_kv, Bias::no),
      v(w / "attn" / "v", config.d_model, config.num_heads * config.d_kv, Bias::no),
      o(w / "attn" / "o", config.num_heads * config.d_kv, config.d_model, Bias::no),
      norm2(w / "norm2", config.d_model, config.layer_norm_epsilon),
      gate(w / "ffn" / "gate" / 0, config.d_model, config.d_ff, Bias::no),
      fc1(w / "ffn" / "fc1", config.d_model, config.d_ff, Bias::no),
      fc2(w / "ffn" / "fc2", config.d_ff, config.d_model, Bias::no) {
  if (!has_bias) return;
  bias = (w / "pos_embedding" / "embedding")
             .tensor("weight", {config.relative_attention_num_buckets, config.num_heads}, Init::normal_02)
             .to(at::kFloat);
}

Encoder::Encoder(const Scope& w, const EncoderConfig& config)
    : config_(config),
      attention_type_(w.compute().attention),
      token_embedding_((w / "token_embedding").weight("weight", {config.vocab_size, config.d_model}, Init::normal_02),
                       at::kFloat),
      norm(w / "norm", config.d_model, config.layer_norm_epsilon) {
  config.validate();
  for (int64_t i = 0; i < config.num_layers; ++i) {
    blocks.emplace_back(w / "blocks" / i, config, i == 0 || config.bias_in_every_layer);
  }
}

at::Tensor Encoder::position_bias(const at::Tensor& table, int64_t length) const {
  at::Tensor buckets = at::empty({length, length}, at::kLong);  // [L, L]
  int64_t* rows = buckets.mutable_data_ptr<int64_t>();
  for (int64_t query = 0; query < length; ++query) {
    for (int64_t key = 0; key < length; ++key) rows[query * length + key] = relative_bucket(key - query, config_);
  }
  const at::Tensor bias = at::embedding(table, buckets.to(table.device()));  // [L, L, N]
  return bias.permute({2, 0, 1}).unsqueeze(0);                               // [1, N, L, L]
}

at::Tensor Encoder::operator()(const at::Tensor& ids, const at::Tensor& mask) const {
  const auto [B, L] = dims<2>(ids, "t5 ids");
  require(ids.numel() == 0 || (ids.min().item<int64_t>() >= 0 && ids.max().item<int64_t>() < config_.vocab_size),
          ErrorKind::usage, "t5: expected token ids from 0 to ", config_.vocab_size - 1, ", found ",
          ids.numel() ? ids.max().item<int64_t>() : 0, "; hint: the tokenizer belongs to another model");
  at::Tensor padding;  // [B, 1, 1, L]
  if (mask.defined()) {
    require_shape(mask, {B, L}, "t5 mask");
    padding = at::zeros_like(mask, at::TensorOptions().dtype(at::kFloat));
    padding = padding.masked_fill(mask.logical_not(), std::numeric_limits<float>::lowest()).view({B, 1, 1, L});
  }
  at::Tensor x = token_embedding_.rows(ids);  // [B, L, C]
  at::Tensor bias;                            // [1 or B, N, L, L]
  for (const auto& layer : blocks) {
    if (layer.bias.defined()) {
      bias = position_bias(layer.bias, L);
      if (padding.defined()) bias = bias + padding;
    }
    const at::Tensor h = layer.norm1(x);  // [B, L, C]
    const auto heads = [&](const layers::Linear& project) { return ops::split_heads(project(h), config_.num_heads); };
    const at::Tensor attended = ops::attention(heads(layer.q), heads(layer.k), heads(layer.v),
                                               {.type = attention_type_, .scale = 1.0, .bias = bias});  // [B, N, L, D]
    x = x + layer.o(ops::merge_heads(attended)).to(at::kFloat);
    const at::Tensor y = layer.norm2(x);  // [B, L, C]
    x = x + layer.fc2(layer.fc1(y) * ops::gelu_tanh(layer.gate(y))).to(at::kFloat);
  }
  return norm(x);
}

Encoder load_encoder(const std::shared_ptr<const weights::TensorFile>& file, const EncoderConfig& config,
                     const Compute& compute, const weights::Overlay& lora) {
  const EncoderKeys keys = encoder_keys(file->tensors());
  const auto plan = weights::record([&](const Scope& w) { Encoder(w, config); });
  plan.require_match(*file, "models/t5 with its configuration", keys.rename(), keys.ignore());
  weights::FileSource tensors(file, keys.rename(), compute.device);
  weights::OverlaySource source(tensors, lora);
  return {Scope(source, compute), config};
}

}  // namespace keyflow::t5
