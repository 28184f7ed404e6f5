#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::clip {

enum class Activation { gelu, quick_gelu };

/// CLIP's picture encoder. Defaults are OpenCLIP ViT-H/14, as Wan uses it; names are those of transformers'
/// config.json.
struct VisionConfig {
  int64_t image_size = 224;  ///< side of the square pictures, pixels
  int64_t patch_size = 14;
  int64_t hidden_size = 1280;
  int64_t intermediate_size = 5120;
  int64_t num_hidden_layers = 32;  ///< of the checkpoint; the last one is not computed
  int64_t num_attention_heads = 16;
  Activation hidden_act = Activation::gelu;
  double layer_norm_eps = 1e-5;

  /// Patches and the class token.
  int64_t tokens() const { return (image_size / patch_size) * (image_size / patch_size) + 1; }
  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// Reads transformers' image_encoder/config.json; throws Error::config listing unknown keys.
VisionConfig vision_config_from_json(const nlohmann::json& json, const std::string& where);

/// The configuration that a checkpoint's names and shapes show, in any of the spellings; heads are `hidden_size` / 80
/// and the activation GELU, as in ViT-H/14. Throws Error::weights when the tensors are not those of this network.
VisionConfig vision_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

}  // namespace keyflow::clip
