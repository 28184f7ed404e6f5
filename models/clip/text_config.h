#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/clip/text_keys.h"
#include "weights/tensor_info.h"

namespace keyflow::clip {

/// A text encoder's sizes. Defaults are those of CLIP ViT-L/14, the encoder of Stable Diffusion 1, without projection;
/// names are those of transformers' CLIPTextConfig.
struct TextConfig {
  int64_t vocab_size = 49408;
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;  ///< width inside the MLP
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t max_position_embeddings = 77;  ///< tokens of the longest prompt, start and end included
  int64_t projection_dim = 0;            ///< width of the projected end token; 0: the checkpoint has no projection
  int64_t eos_token_id = 49407;          ///< the end token; 2 stands for "the token with the highest id"
  double layer_norm_eps = 1e-5;
  std::string hidden_act = "quick_gelu";  ///< or "gelu" (exact)

  /// Calls visit(name, field) for every field.
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visit) {
    visit("vocab_size", self.vocab_size);
    visit("hidden_size", self.hidden_size);
    visit("intermediate_size", self.intermediate_size);
    visit("num_hidden_layers", self.num_hidden_layers);
    visit("num_attention_heads", self.num_attention_heads);
    visit("max_position_embeddings", self.max_position_embeddings);
    visit("projection_dim", self.projection_dim);
    visit("eos_token_id", self.eos_token_id);
    visit("layer_norm_eps", self.layer_norm_eps);
    visit("hidden_act", self.hidden_act);
  }

  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// Reads configs/clip/*_text.json or the config.json of transformers' CLIPTextModel and CLIPTextModelWithProjection.
/// Fields it does not state come from `base`: pass text_config_from_tensors() where there are tensors. A plain
/// CLIPTextModel states a projection_dim that it does not have: it counts only WithProjection.
/// Throws Error::config listing all unknown keys and wrong types.
TextConfig text_config_from_json(const nlohmann::json& json, const std::string& where, const TextConfig& base = {});

/// The configuration that a checkpoint's names and shapes show. Heads (of 64 channels), activation (quick_gelu for
/// width 768) and end token (49407, or the last of a smaller vocabulary) leave no trace. Throws Error::weights when the
/// tensors are not those of this network.
TextConfig text_config_from_tensors(const std::vector<weights::TensorInfo>& tensors, const TextKeys& keys);

/// The config.json that transformers reads, and text_config_from_json too.
nlohmann::json to_json(const TextConfig& config);

}  // namespace keyflow::clip
