#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::sd3 {

/// The transformer's sizes. Defaults are those of SD3-medium; names are those of diffusers' config.json.
struct TransformerConfig {
  int64_t sample_size = 128;  ///< latents along a side of the pictures it was made for; nothing is computed with it
  int64_t patch_size = 2;     ///< latents along a side of a token
  int64_t in_channels = 16;
  int64_t out_channels = 16;
  int64_t num_layers = 24;                     ///< blocks
  int64_t attention_head_dim = 64;             ///< channels of a head
  int64_t num_attention_heads = 24;            ///< the stream is heads times head size wide
  int64_t joint_attention_dim = 4096;          ///< width of the text tokens
  int64_t pooled_projection_dim = 2048;        ///< width of the pooled texts together
  int64_t pos_embed_max_size = 192;            ///< tokens along a side of the table of positions
  std::vector<int64_t> dual_attention_layers;  ///< blocks with a second attention among picture tokens (SD3.5-medium)
  bool qk_norm = false;                        ///< RMS norm of queries and keys (SD3.5)

  int64_t dim() const { return num_attention_heads * attention_head_dim; }

  /// Calls visit(name, field) for every field.
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visit) {
    visit("sample_size", self.sample_size);
    visit("patch_size", self.patch_size);
    visit("in_channels", self.in_channels);
    visit("out_channels", self.out_channels);
    visit("num_layers", self.num_layers);
    visit("attention_head_dim", self.attention_head_dim);
    visit("num_attention_heads", self.num_attention_heads);
    visit("joint_attention_dim", self.joint_attention_dim);
    visit("pooled_projection_dim", self.pooled_projection_dim);
    visit("pos_embed_max_size", self.pos_embed_max_size);
    visit("dual_attention_layers", self.dual_attention_layers);
    visit("qk_norm", self.qk_norm);
  }

  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// The configuration that a config.json states: configs/sd3/*.json or diffusers' transformer/config.json. qk_norm is
/// "rms_norm" or null there.
///
/// json    the parsed file
/// where   its name, for messages
/// base    what holds for fields the file does not state: transformer_config_from_tensors() where there are tensors
/// throws  Error::config listing all unknown keys and wrong types, Error::unsupported for a network of another kind
TransformerConfig transformer_config_from_json(const nlohmann::json& json, const std::string& where,
                                               const TransformerConfig& base = {});

/// The configuration that a checkpoint's names and shapes show, in either spelling. Without q/k norms the head size
/// leaves no trace and keeps its published value, so a network of other heads must state it: it is not validated here.
/// Throws Error::weights when the tensors are not those of this network.
TransformerConfig transformer_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

/// For settings saved with an output: reads back through transformer_config_from_json.
nlohmann::json to_json(const TransformerConfig& config);

}  // namespace keyflow::sd3
