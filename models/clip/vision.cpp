#include "models/clip/vision.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>

#include "core/shape.h"
#include "ops/patchify.h"

namespace keyflow::clip {

using weights::Init;
using weights::Scope;

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
  const LayerSizes sizes{C, config.intermediate_size, config.num_attention_heads, config.layer_norm_eps,
                         config.hidden_act == "quick_gelu"};
  for (int64_t i = 0; i + 1 < config.num_hidden_layers; ++i) layers_.emplace_back(w / "encoder" / "layers" / i, sizes);
}

at::Tensor VisionTower::operator()(const at::Tensor& pixels) const {
  const int64_t S = config_.image_size, P = config_.patch_size, C = config_.hidden_size;
  require_shape(pixels, {-1, config_.num_channels, S, S}, "pixels");
  const at::Tensor patches = ops::patchify(pixels.to(at::kFloat).unsqueeze(2), {1, P, P});  // [B, patches, 3*P*P]
  const at::Tensor tokens = at::linear(patches, patch_embedding.flatten(1));                // [B, patches, C]
  at::Tensor x = at::cat({class_embedding.expand({pixels.size(0), 1, C}), tokens}, 1) + position_embedding;
  x = pre_layrnorm(x);  // [B, L, C]
  for (const auto& layer : layers_) x = layer(std::move(x));
  return x;
}

}  // namespace keyflow::clip
