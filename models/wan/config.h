#pragma once
#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::wan {

/// The diffusion transformer's sizes. Defaults are those of Wan2.1-T2V-1.3B; names are those of Wan's own config.json,
/// with the fields it leaves out added.
struct TransformerConfig {
  int64_t in_dim = 16;                         ///< channels in: 16, or 36 with mask and condition latents
  int64_t out_dim = 16;                        ///< channels out
  int64_t dim = 1536;                          ///< width of the residual stream
  int64_t ffn_dim = 8960;                      ///< width inside the feed-forward layers
  int64_t num_heads = 12;                      ///< each of dim / num_heads channels, an even number
  int64_t num_layers = 30;                     ///< blocks
  int64_t freq_dim = 256;                      ///< size of the sinusoidal time embedding
  int64_t text_dim = 4096;                     ///< width of the text encoder
  int64_t text_len = 512;                      ///< text tokens attended, padding included
  int64_t image_dim = 0;                       ///< width of the picture encoder; 0: no image branch
  int64_t image_pos_len = 0;                   ///< rows of img_emb.emb_pos (tokens of all pictures); 0: no such table
  int64_t rope_max_len = 1024;                 ///< tokens along one axis, at most
  std::array<int64_t, 3> patch_size{1, 2, 2};  ///< over T, H, W
  double eps = 1e-6;                           ///< of every norm but the two of the image projection

  int64_t head_size() const { return dim / num_heads; }

  /// Calls visit(name, field) for every field.
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visit) {
    visit("in_dim", self.in_dim);
    visit("out_dim", self.out_dim);
    visit("dim", self.dim);
    visit("ffn_dim", self.ffn_dim);
    visit("num_heads", self.num_heads);
    visit("num_layers", self.num_layers);
    visit("freq_dim", self.freq_dim);
    visit("text_dim", self.text_dim);
    visit("text_len", self.text_len);
    visit("image_dim", self.image_dim);
    visit("image_pos_len", self.image_pos_len);
    visit("rope_max_len", self.rope_max_len);
    visit("patch_size", self.patch_size);
    visit("eps", self.eps);
  }

  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// The configuration that a config.json states: configs/wan/*.json, Wan's own, or diffusers' transformer/config.json.
///
/// json    the parsed file
/// where   its name, for messages
/// base    what holds for fields the file does not state; pass transformer_config_from_tensors() where there are
/// tensors,
///         because Wan's own file does not say whether there is an image branch
/// throws  Error::config listing all unknown keys and wrong types, Error::unsupported for a network of another kind
TransformerConfig transformer_config_from_json(const nlohmann::json& json, const std::string& where,
                                               const TransformerConfig& base = {});

/// The configuration that a checkpoint's names and shapes show, in either spelling. Head size (128 where it divides the
/// width), text_len and eps leave no trace in shapes and keep their published values.
/// Throws Error::weights when the tensors are not those of this network.
TransformerConfig transformer_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

/// For configs/ and for settings saved with an output: reads back through transformer_config_from_json.
nlohmann::json to_json(const TransformerConfig& config);

/// diffusers' transformer/config.json, which WanTransformer3DModel.from_pretrained reads.
nlohmann::json to_diffusers_json(const TransformerConfig& config);

}  // namespace keyflow::wan
