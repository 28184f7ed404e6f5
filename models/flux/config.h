#pragma once
#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::flux {

/// The transformer's sizes. Defaults are those of FLUX.1-schnell; names are those of diffusers' config.json. -dev adds
/// guidance_embeds, -Fill has 384 channels in as well.
struct TransformerConfig {
  int64_t in_channels =
      64;  ///< of a token: 2x2 latents of 16 channels; of 96 with picture and mask beside them (-Fill)
  int64_t out_channels = 64;                          ///< of a token
  int64_t num_layers = 19;                            ///< double blocks: picture and text with weights of their own
  int64_t num_single_layers = 38;                     ///< single blocks: both as one sequence
  int64_t attention_head_dim = 128;                   ///< channels of a head
  int64_t num_attention_heads = 24;                   ///< the stream is heads times head size wide
  int64_t joint_attention_dim = 4096;                 ///< width of the text encoder
  int64_t pooled_projection_dim = 768;                ///< width of the pooled text
  bool guidance_embeds = false;                       ///< distilled: the guidance scale is an input
  std::array<int64_t, 3> axes_dims_rope{16, 56, 56};  ///< channels of a head that turn with each of the three ids

  int64_t dim() const { return num_attention_heads * attention_head_dim; }

  /// Calls visit(name, field) for every field.
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visit) {
    visit("in_channels", self.in_channels);
    visit("out_channels", self.out_channels);
    visit("num_layers", self.num_layers);
    visit("num_single_layers", self.num_single_layers);
    visit("attention_head_dim", self.attention_head_dim);
    visit("num_attention_heads", self.num_attention_heads);
    visit("joint_attention_dim", self.joint_attention_dim);
    visit("pooled_projection_dim", self.pooled_projection_dim);
    visit("guidance_embeds", self.guidance_embeds);
    visit("axes_dims_rope", self.axes_dims_rope);
  }

  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// The configuration that a config.json states: configs/flux/*.json or diffusers' transformer/config.json.
///
/// json    the parsed file
/// where   its name, for messages
/// base    what holds for fields the file does not state: transformer_config_from_tensors() where there are tensors
/// throws  Error::config listing all unknown keys and wrong types, Error::unsupported for a network of another kind
TransformerConfig transformer_config_from_json(const nlohmann::json& json, const std::string& where,
                                               const TransformerConfig& base = {});

/// The configuration that a checkpoint's names and shapes show, in either spelling. axes_dims_rope leaves no trace and
/// keeps its published value, so a network of other heads must state it: it is not validated here.
/// Throws Error::weights when the tensors are not those of this network.
TransformerConfig transformer_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

/// For settings saved with an output: reads back through transformer_config_from_json.
nlohmann::json to_json(const TransformerConfig& config);

}  // namespace keyflow::flux
