#include "models/clip/vision.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sigmoid.h>

#include "core/shape.h"
#include "ops/attention.h"
#include "ops/gate.h"
#include "ops/patchify.h"

namespace keyflow::clip {

using weights::Init;
using weights::Scope;

VisionTower::Layer::Layer(const Scope& w, const VisionConfig& config)
    : layer_norm1(w / "layer_norm1", config.hidden_size, config.layer_norm_eps),
      q_proj(w / "self_attn" / "q_proj", config.hidden_size, config.hidden_size),
      k_proj(w / "self_attn" / "k_proj", config.hidden_size, config.hidden_size),
      v_proj(w / "self_attn" / "v_proj", config.hidden_size, config.hidden_size),
      out_proj(w / "self_attn" / "out_proj", config.hidden_size, config.hidden_size),
      layer_norm2(w / "layer_norm2", config.hidden_size, config.layer_norm_eps),
      fc1(w / "mlp" / "fc1", config.hidden_size, config.intermediate_size),
      fc2(w / "mlp" / "fc2", config.intermediate_size, config.hidden_size),
      heads(config.num_attention_heads),
      quick_gelu(config.hidden_act == "quick_gelu"),
      type(w.compute().attention) {}

at::Tensor VisionTower::Layer::attention(const at::Tensor& x) const {
  const at::Tensor h = layer_norm1(x);  // [B, L, C]
  const at::Tensor q = ops::split_heads(q_proj(h), heads), k = ops::split_heads(k_proj(h), heads),
                   v = ops::split_heads(v_proj(h), heads);  // [B, N, L, D]
  return out_proj(ops::merge_heads(ops::attention(q, k, v, {.type = type})));
}

at::Tensor VisionTower::Layer::mlp(const at::Tensor& x) const {
  const at::Tensor h = fc1(layer_norm2(x));
  return fc2(quick_gelu ? h * at::sigmoid(h * 1.702) : at::gelu(h));
}

VisionTower::VisionTower(const Scope& w, const VisionConfig& config)
    : config_((config.validate(), config)),
      pre_layrnorm(w / "pre_layrnorm", config.hidden_size, config.layer_norm_eps) {
  const int64_t C = config.hidden_size, P = config.patch_size, fan_in = config.num_channels * P * P;
  const Scope embeddings = w / "embeddings";
  class_embedding = embeddings.tensor("class_embedding", {C}, Init::normal_02).to(at::kFloat);
  // A convolution whose stride is its kernel is one linear layer over patches; in float32, for it feeds the stream.
  patch_embedding = (embeddings / "patch_embedding")
                        .tensor("weight", {C, config.num_channels, P, P}, Init::fan_in, fan_in)
                        .to(at::kFloat);
  position_embedding =
      (embeddings / "position_embedding").tensor("weight", {config.tokens(), C}, Init::normal_02).to(at::kFloat);
  for (int64_t i = 0; i + 1 < config.num_hidden_layers; ++i) layers_.emplace_back(w / "encoder" / "layers" / i, config);
}

at::Tensor VisionTower::operator()(const at::Tensor& pixels) const {
  const int64_t S = config_.image_size, P = config_.patch_size, C = config_.hidden_size;
  require_shape(pixels, {-1, config_.num_channels, S, S}, "pixels");
  const at::Tensor patches = ops::patchify(pixels.to(at::kFloat).unsqueeze(2), {1, P, P});  // [B, patches, 3*P*P]
  const at::Tensor tokens = at::linear(patches, patch_embedding.flatten(1));                // [B, patches, C]
  at::Tensor x = at::cat({class_embedding.expand({pixels.size(0), 1, C}), tokens}, 1) + position_embedding;
  x = pre_layrnorm(x);  // [B, L, C]
  for (const auto& layer : layers_) {
    const at::Tensor attended = layer.attention(x);
    x = ops::add_gated(std::move(x), attended);
    const at::Tensor widened = layer.mlp(x);
    x = ops::add_gated(std::move(x), widened);
  }
  return x;
}

}  // namespace keyflow::clip
