#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "models/clip/config.h"
#include "models/clip/encoder_layer.h"
#include "models/layers/norm.h"
#include "weights/scope.h"

namespace keyflow::clip {

/// The picture tower of CLIP, up to its penultimate layer. Run it under c10::InferenceMode unless gradients are wanted.
///
/// source Wan2.1 wan/modules/clip.py@9737cba VisionTransformer (use_31_block); transformers CLIPVisionModel
class VisionTower {
 public:
  /// Asks `w` for the weights by transformers' names without prefix; keys.h maps other spellings. The last layer's and
  /// what follows it are not asked for.
  VisionTower(const weights::Scope& w, const VisionConfig& config);

  /// pixels [B, 3, S, S] float32, S = image_size, normalised (preprocess.h)
  /// return [B, tokens(), hidden_size] float32: hidden_states[-2], class token first, no norm after it
  /// throws Error::shape
  at::Tensor operator()(const at::Tensor& pixels) const;

  const VisionConfig& config() const { return config_; }

 private:
  VisionConfig config_;
  at::Tensor class_embedding, patch_embedding, position_embedding;
  layers::LayerNorm pre_layrnorm;
  std::vector<EncoderLayer> layers_;
};

}  // namespace keyflow::clip
