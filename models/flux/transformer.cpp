#include "models/flux/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/silu.h>

#include "core/shape.h"
#include "models/flux/packing.h"
#include "ops/rope.h"
#include "ops/timestep.h"

namespace keyflow::flux {

using layers::EmbeddingMlp;
using layers::Linear;
using layers::Probe;
using weights::Scope;

namespace {

constexpr int64_t kTimeSize = 256;        // of the sinusoidal embeddings
constexpr double kGuidanceToTime = 1000;  // guidance is embedded as times are, from 0 to 1 as 0 to 1000
constexpr double kEps = 1e-6;

at::Tensor sinusoid(const at::Tensor& time) {
  return ops::timestep_embedding(time, kTimeSize, {.angles = at::kFloat});  // [B, kTimeSize]
}

void require_finite(const at::Tensor& x, const char* module) {
  require(at::GradMode::is_enabled() || at::isfinite(x).all().item<bool>(), ErrorKind::numeric, module,
          ": its output holds NaN or infinity");
}

}  // namespace

Transformer::Transformer(const Scope& w, const TransformerConfig& config)
    : config_((config.validate(), config)),
      x_embedder(Linear::fp32(w / "x_embedder", config.in_channels, config.dim())),
      context_embedder(Linear::fp32(w / "context_embedder", config.joint_attention_dim, config.dim())),
      timestep_embedder(w / "time_text_embed" / "timestep_embedder", kTimeSize, config.dim()),
      text_embedder(w / "time_text_embed" / "text_embedder", config.pooled_projection_dim, config.dim()),
      norm_out(w / "norm_out", config.dim(), kEps),
      proj_out(Linear::fp32(w / "proj_out", config.dim(), config.out_channels)) {
  if (config.guidance_embeds) {
    guidance_embedder.emplace(w / "time_text_embed" / "guidance_embedder", kTimeSize, config.dim());
  }
  for (int64_t i = 0; i < config.num_layers; ++i) transformer_blocks.emplace_back(w / "transformer_blocks" / i, config);
  for (int64_t i = 0; i < config.num_single_layers; ++i) {
    single_transformer_blocks.emplace_back(w / "single_transformer_blocks" / i, config);
  }
}

Context Transformer::prepare(const at::Tensor& text, const at::Tensor& pooled, const at::Tensor& guidance) const {
  require_shape(text, {-1, -1, config_.joint_attention_dim}, "text");
  require_shape(pooled, {text.size(0), config_.pooled_projection_dim}, "pooled");
  require(guidance.defined() == config_.guidance_embeds, ErrorKind::unsupported, "flux: this checkpoint ",
          config_.guidance_embeds ? "is distilled from guidance; expected a guidance scale, found none"
                                  : "takes no guidance scale; expected none, found one");
  Context context{context_embedder(text), text_embedder(pooled)};  // [B, M, C], [B, C]
  if (guidance.defined()) {
    require_shape(guidance, {text.size(0)}, "guidance");
    const at::Tensor scale = guidance.to(at::kFloat) * kGuidanceToTime;
    context.condition = context.condition + (*guidance_embedder)(sinusoid(scale));
  }
  require_finite(context.text, "context_embedder");
  require_finite(context.condition, "time_text_embed");
  return context;
}

at::Tensor Transformer::run(const at::Tensor& latents, const at::Tensor& timestep, const Context& context,
                            const Probe& probe) const {
  const auto look = [&](const std::string& module, const at::Tensor& output) {
    if (probe) probe(module, output);
  };
  const auto [B, C, H, W] = dims<4>(latents, "latents");
  require_shape(latents, {B, config_.in_channels / 4, H, W}, "latents");
  require_shape(timestep, {B}, "timestep");
  require_shape(context.text, {B, -1, config_.dim()}, "context.text");
  require_shape(context.condition, {B, config_.dim()}, "context.condition");
  look("latents", latents);
  // The blocks add into their streams, and the context serves other steps too.
  layers::Streams streams{x_embedder(pack(latents)), context.text.clone()};  // [B, L, C], [B, M, C]
  look("x_embedder", streams.picture);
  const int64_t M = streams.text.size(1), L = streams.picture.size(1);
  const at::Tensor ids = at::cat({text_ids(M), picture_ids(H / 2, W / 2)}, 0);  // [M+L, 3]
  const at::Tensor table = ops::rope_table(ids, config_.axes_dims_rope).to(latents.device(), at::kComplexFloat);
  const at::Tensor time = timestep_embedder(sinusoid(timestep));
  const at::Tensor condition = at::silu(time + context.condition);  // [B, C]
  look("time_text_embed", condition);
  for (size_t i = 0; i < transformer_blocks.size(); ++i) {
    streams = transformer_blocks[i](std::move(streams), condition, table);
    const std::string name = "transformer_blocks." + std::to_string(i);
    look(name, streams.picture);
    look(name + " (text)", streams.text);
  }
  at::Tensor x = at::cat({streams.text, streams.picture}, 1);  // [B, M+L, C]
  for (size_t i = 0; i < single_transformer_blocks.size(); ++i) {
    x = single_transformer_blocks[i](x, condition, table);
    look("single_transformer_blocks." + std::to_string(i), x);
  }
  const at::Tensor tokens = proj_out(norm_out(x.narrow(1, M, L), condition, at::kFloat));  // [B, L, out]
  look("proj_out", tokens);
  return unpack(tokens, H, W);  // [B, out/4, H, W]
}

at::Tensor Transformer::operator()(const at::Tensor& latents, const at::Tensor& timestep,
                                   const Context& context) const {
  return run(latents, timestep, context, {});
}

std::string Transformer::first_non_finite(const at::Tensor& latents, const at::Tensor& timestep,
                                          const Context& context) const {
  layers::FirstNonFinite first;
  run(latents, timestep, context, first.probe());
  return first.module();
}

}  // namespace keyflow::flux
