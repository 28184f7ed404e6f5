#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "models/flux/config.h"
#include "models/flux/transformer_block.h"
#include "models/layers/embedding_mlp.h"
#include "models/layers/probe.h"
#include "weights/scope.h"

namespace keyflow::flux {

/// What a picture is made from, embedded once per run and used at every step.
struct Context {
  at::Tensor text;       ///< [B, M, C] float32
  at::Tensor condition;  ///< [B, C] float32: pooled text, and guidance where the checkpoint takes it
};

/// FLUX.1's transformer. Run it under c10::InferenceMode (or NoGradGuard) unless gradients are wanted: the fused and
/// in-place paths and the runs of tokens depend on it.
///
/// source FLUX src/flux/model.py@c00d7c6 Flux; diffusers 0.42.1 transformer_flux.py
class Transformer {
 public:
  /// Asks `w` for the weights by diffusers' names; keys.h maps the spellings of files.
  Transformer(const weights::Scope& w, const TransformerConfig& config);

  /// Embeds what does not change over the steps.
  ///
  /// text      [B, M, joint_attention_dim], any float: T5's output, padding included, which is attended
  /// pooled    [B, pooled_projection_dim], any float: CLIP-L's pooled output
  /// guidance  [B], the distilled guidance scale (3.5, 30 for -Fill); undefined where the checkpoint takes none
  /// throws    Error::shape; Error::unsupported for guidance given to a checkpoint that takes none, or not given to one
  ///           that does; Error::numeric when an embedding is not finite (not checked while gradients are recorded)
  Context prepare(const at::Tensor& text, const at::Tensor& pooled, const at::Tensor& guidance = {}) const;

  /// Velocity of the flow.
  ///
  /// latents   [B, in_channels/4, H, W], any float, latent sizes; H and W even. For -Fill the 16 noisy channels, those
  ///           of the masked picture, and mask_channels()
  /// timestep  [B], 0 to 1000
  /// context   of the same B
  /// return    [B, out_channels/4, H, W] float32
  /// throws    Error::shape
  at::Tensor operator()(const at::Tensor& latents, const at::Tensor& timestep, const Context& context) const;

  /// The first module whose output holds NaN or infinity for these inputs ("transformer_blocks.3", "latents"; the text
  /// stream's as "transformer_blocks.3 (text)"), or "" if all is finite: runs the forward pass again.
  std::string first_non_finite(const at::Tensor& latents, const at::Tensor& timestep, const Context& context) const;

  const TransformerConfig& config() const { return config_; }

 private:
  at::Tensor run(const at::Tensor& latents, const at::Tensor& timestep, const Context& context,
                 const layers::Probe& probe) const;

  TransformerConfig config_;
  layers::Linear x_embedder, context_embedder;
  layers::EmbeddingMlp timestep_embedder, text_embedder;
  std::optional<layers::EmbeddingMlp> guidance_embedder;
  std::vector<DoubleBlock> transformer_blocks;
  std::vector<SingleBlock> single_transformer_blocks;
  layers::AdaptiveNorm norm_out;
  layers::Linear proj_out;
};

}  // namespace keyflow::flux
