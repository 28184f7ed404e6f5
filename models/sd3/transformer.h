#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "models/layers/embedding_mlp.h"
#include "models/layers/probe.h"
#include "models/sd3/config.h"
#include "models/sd3/transformer_block.h"
#include "weights/scope.h"

namespace keyflow::sd3 {

/// What a picture is made from, embedded once per run and used at every step.
struct Context {
  at::Tensor text;    ///< [B, M, C] float32
  at::Tensor pooled;  ///< [B, C] float32
};

/// The transformer of SD3 and SD3.5 (MMDiT, MMDiT-X). Run it under c10::InferenceMode (or NoGradGuard) unless gradients
/// are wanted: the fused and in-place paths and the runs of tokens depend on it.
///
/// source diffusers 0.42.1 transformer_sd3.py; Stable Diffusion 3 (2403.03206) §4
class Transformer {
 public:
  /// Asks `w` for the weights by diffusers' names; keys.h maps the spellings of files.
  Transformer(const weights::Scope& w, const TransformerConfig& config);

  /// Embeds what does not change over the steps.
  ///
  /// text    [B, M, joint_attention_dim], any float: both CLIPs' tokens side by side and padded with zeros to that
  ///         width, then T5's
  /// pooled  [B, pooled_projection_dim], any float: both CLIPs' pooled outputs
  /// throws  Error::shape; Error::numeric when an embedding is not finite (not checked while gradients are recorded)
  Context prepare(const at::Tensor& text, const at::Tensor& pooled) const;

  /// Velocity of the flow.
  ///
  /// latents      [B, in_channels, H, W], any float, latent sizes; each divisible by patch_size, and at most
  ///              pos_embed_max_size patches
  /// timestep     [B], 0 to 1000
  /// context      of the same B
  /// skip_layers  blocks to leave out, for skip-layer guidance
  /// return       [B, out_channels, H, W] float32
  /// throws       Error::shape; Error::usage for a layer that is not there
  at::Tensor operator()(const at::Tensor& latents, const at::Tensor& timestep, const Context& context,
                        const std::vector<int64_t>& skip_layers = {}) const;

  /// The first module whose output holds NaN or infinity for these inputs ("transformer_blocks.3", "latents"; the text
  /// stream's as "transformer_blocks.3 (text)"), or "" if all is finite: runs the forward pass again.
  std::string first_non_finite(const at::Tensor& latents, const at::Tensor& timestep, const Context& context) const;

  const TransformerConfig& config() const { return config_; }

 private:
  at::Tensor run(const at::Tensor& latents, const at::Tensor& timestep, const Context& context,
                 const std::vector<int64_t>& skip_layers, const layers::Probe& probe) const;
  /// [1, L, C] float32: the middle of the table
  at::Tensor positions(int64_t height, int64_t width) const;

  TransformerConfig config_;
  at::Tensor patch_weight_, patch_bias_, pos_embed_;
  layers::Linear context_embedder;
  layers::EmbeddingMlp timestep_embedder, text_embedder;
  std::vector<JointBlock> transformer_blocks;
  layers::AdaptiveNorm norm_out;
  layers::Linear proj_out;
};

}  // namespace keyflow::sd3
