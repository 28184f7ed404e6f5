#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "models/clip/encoder_layer.h"
#include "models/clip/text_config.h"
#include "models/layers/linear.h"
#include "models/layers/norm.h"
#include "weights/scope.h"

namespace keyflow::clip {

/// The text tower of CLIP and OpenCLIP: a causal transformer over at most max_position_embeddings tokens. What a family
/// takes from it differs, so the steps stand apart:
///   SD 1.x      final_norm(states[N])            after clip-skip k: final_norm(states[N - k])
///   SD 2.x      final_norm(states[23]) of OpenCLIP-H
///   SDXL, SD3   states[N - 1] without norm       and project(pool(states[N], ids))
///   FLUX.1      pool(states[N], ids)
/// Run it under c10::InferenceMode unless gradients are wanted.
///
/// source transformers modeling_clip.py CLIPTextModel (5.23.0); open_clip src/open_clip/model.py encode_text
class TextModel {
 public:
  /// Asks `w` for the weights by transformers' names without prefix; text_keys.h maps other spellings.
  TextModel(const weights::Scope& w, const TextConfig& config);

  /// ids    [B, L] int64; from vocab_size on they choose a row of `extra`
  /// extra  [K, hidden_size], any float: learned embeddings of textual inversion; undefined for none
  /// return num_hidden_layers + 1 states [B, L, hidden_size] float32: the embeddings, then the output of each layer
  /// throws Error::shape; Error::usage for an id without an embedding or too many tokens
  std::vector<at::Tensor> hidden_states(const at::Tensor& ids, const at::Tensor& extra = {}) const;

  /// [B, L, C] float32 -> the same
  at::Tensor final_norm(const at::Tensor& state) const;

  /// The last state after the final norm at each row's end token: the first eos_token_id; for eos_token_id 2, as old
  /// configurations have it, the first occurrence of the highest id (`extra` ids do not count).
  ///
  /// last   [B, L, C] float32, hidden_states().back()
  /// return [B, C] float32
  /// throws Error::usage for a row without the end token
  at::Tensor pool(const at::Tensor& last, const at::Tensor& ids) const;

  /// [B, C] -> [B, projection_dim] float32; `pooled` itself where the checkpoint has no projection
  at::Tensor project(const at::Tensor& pooled) const;

  const TextConfig& config() const { return config_; }

 private:
  at::Tensor embed(const at::Tensor& ids, const at::Tensor& extra) const;
  at::Tensor end_positions(const at::Tensor& ids) const;

  TextConfig config_;
  at::Tensor token_embedding_;  // [V, C] in the file's type: only the rows of a prompt are read
  at::Tensor position_embedding_;
  std::vector<EncoderLayer> layers_;
  layers::LayerNorm final_layer_norm;
  std::optional<layers::Linear> text_projection;
};

}  // namespace keyflow::clip
