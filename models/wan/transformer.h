#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "models/layers/linear.h"
#include "models/layers/norm.h"
#include "models/wan/config.h"
#include "models/wan/transformer_block.h"
#include "weights/scope.h"

namespace keyflow::wan {

/// What the video attends to, embedded once per run and used at every step: the keys and values of each block's
/// cross-attention. Cheap to copy; contexts made by with_text share the pictures'.
struct Context {
  std::vector<KeyValue> text;   ///< one per block
  std::vector<KeyValue> image;  ///< one per block; empty without pictures
};

/// Wan's diffusion transformer. Run it under c10::InferenceMode (or NoGradGuard) unless gradients are wanted: the fused
/// and in-place paths and the blocking over tokens depend on it.
///
/// source Wan2.1 wan/modules/model.py@9737cba WanModel
class Transformer {
 public:
  /// Asks `w` for the weights by Wan's own names; keys.h maps other spellings.
  Transformer(const weights::Scope& w, const TransformerConfig& config);

  /// Embeds text and pictures.
  ///
  /// text   [B, M, text_dim], any float, M <= text_len; zero rows are appended up to text_len, and are attended as Wan
  /// does image  [B, K, image_dim], tokens of all pictures one after the other (first, last); undefined for none.
  ///        K = image_pos_len where the checkpoint has that table
  /// throws Error::shape, Error::unsupported for pictures given to a checkpoint without image branch, Error::numeric
  ///        when an embedding is not finite (not checked while gradients are recorded)
  Context prepare(const at::Tensor& text, const at::Tensor& image = {}) const;

  /// Another text with the same pictures (the negative prompt of guidance).
  Context with_text(const Context& context, const at::Tensor& text) const;

  /// Velocity of the flow.
  ///
  /// latents   [B, in_dim, T, H, W], any float, latent sizes; each divisible by patch_size
  /// timestep  [B], 0 to 1000
  /// context   of the same B
  /// return    [B, out_dim, T, H, W] float32
  /// throws    Error::shape
  at::Tensor operator()(const at::Tensor& latents, const at::Tensor& timestep, const Context& context) const;

  /// The first module whose output holds NaN or infinity for these inputs ("blocks.3.ffn", "text_embedding",
  /// "latents"), or "" if all is finite: runs the forward pass again and looks after each part.
  std::string first_non_finite(const at::Tensor& latents, const at::Tensor& timestep, const Context& context) const;

  const TransformerConfig& config() const { return config_; }

 private:
  struct Mlp {
    Mlp(const weights::Scope& w, int64_t in, int64_t out);
    layers::Linear first, second;
  };
  /// Time [Linear, SiLU, Linear] in float32.
  struct TimeEmbedding {
    TimeEmbedding(const weights::Scope& w, const TransformerConfig& config);
    layers::Linear first, second;
  };
  struct ImageEmbedding {
    ImageEmbedding(const weights::Scope& w, const TransformerConfig& config);
    at::Tensor operator()(at::Tensor tokens) const;
    at::Tensor emb_pos;  // [1, K, image_dim] float32, or undefined
    layers::LayerNorm norm_in;
    layers::Linear first, second;
    layers::LayerNorm norm_out;
  };
  /// One forward pass under way.
  struct Pass {
    std::array<int64_t, 3> grid;
    at::Tensor table;  // [L, D/2] complex64
    at::Tensor e, e0;  // [B, C] and [B, 6, C] float32
    at::Tensor x;      // [B, L, C] float32
  };
  Pass begin(const at::Tensor& latents, const at::Tensor& timestep, const Context& context) const;
  at::Tensor finish(const Pass& pass) const;
  std::vector<KeyValue> text_keys(const at::Tensor& text) const;

  TransformerConfig config_;
  at::Tensor patch_weight_, patch_bias_;
  Mlp text_embedding;
  TimeEmbedding time_embedding;
  layers::Linear time_projection;
  std::optional<ImageEmbedding> img_emb;
  std::vector<TransformerBlock> blocks;
  layers::Linear head;
  at::Tensor head_modulation_;
};

}  // namespace keyflow::wan
