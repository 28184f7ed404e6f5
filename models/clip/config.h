#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::clip {

/// The picture encoder's sizes. Defaults are those of OpenCLIP ViT-H/14, the encoder of Wan2.1; names are those of
/// transformers' CLIPVisionConfig.
struct VisionConfig {
  int64_t hidden_size = 1280;
  int64_t intermediate_size = 5120;  ///< width inside the MLP
  int64_t num_hidden_layers = 32;    ///< of the checkpoint; the last one is not run
  int64_t num_attention_heads = 16;
  int64_t num_channels = 3;
  int64_t image_size = 224;  ///< pixels along each edge
  int64_t patch_size = 14;   ///< pixels along each edge
  double layer_norm_eps = 1e-5;
  std::string hidden_act = "gelu";  ///< "gelu" (exact) or "quick_gelu"

  int64_t patches_per_edge() const { return image_size / patch_size; }
  /// Tokens of one picture: the class token and the patches.
  int64_t tokens() const { return patches_per_edge() * patches_per_edge() + 1; }

  /// Calls visit(name, field) for every field.
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visit) {
    visit("hidden_size", self.hidden_size);
    visit("intermediate_size", self.intermediate_size);
    visit("num_hidden_layers", self.num_hidden_layers);
    visit("num_attention_heads", self.num_attention_heads);
    visit("num_channels", self.num_channels);
    visit("image_size", self.image_size);
    visit("patch_size", self.patch_size);
    visit("layer_norm_eps", self.layer_norm_eps);
    visit("hidden_act", self.hidden_act);
  }

  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// Reads configs/clip/*.json or the config.json of transformers' CLIPVisionModel. Fields it does not state come from
/// `base`: pass vision_config_from_tensors() where there are tensors.
/// Throws Error::config listing all unknown keys and wrong types.
VisionConfig vision_config_from_json(const nlohmann::json& json, const std::string& where,
                                     const VisionConfig& base = {});

/// The configuration that a checkpoint's names and shapes show, in either spelling. The number of heads leaves no
/// trace: 16 for width 1280, else heads of 64 channels. Throws Error::weights when the tensors are not those of this
/// network.
VisionConfig vision_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

/// The config.json that transformers' CLIPVisionModel.from_pretrained reads, and vision_config_from_json too.
nlohmann::json to_json(const VisionConfig& config);

}  // namespace keyflow::clip
