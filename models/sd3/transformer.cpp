#include "models/sd3/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>

#include <algorithm>

#include "core/shape.h"
#include "ops/patchify.h"
#include "ops/timestep.h"

namespace keyflow::sd3 {

using layers::Linear;
using layers::Probe;
using weights::Init;
using weights::Scope;

namespace {

constexpr int64_t kTimeSize = 256;  // of the sinusoidal embedding
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
      context_embedder(Linear::fp32(w / "context_embedder", config.joint_attention_dim, config.dim())),
      timestep_embedder(w / "time_text_embed" / "timestep_embedder", kTimeSize, config.dim()),
      text_embedder(w / "time_text_embed" / "text_embedder", config.pooled_projection_dim, config.dim()),
      norm_out(w / "norm_out", config.dim(), kEps),
      proj_out(
          Linear::fp32(w / "proj_out", config.dim(), config.patch_size * config.patch_size * config.out_channels)) {
  const int64_t C = config.dim(), P = config.patch_size, size = config.pos_embed_max_size;
  const int64_t fan_in = config.in_channels * P * P;
  const Scope patch = w / "pos_embed";
  // A convolution whose stride is its kernel is one linear layer over patches; in float32, for it feeds the stream.
  patch_weight_ = (patch / "proj").tensor("weight", {C, config.in_channels, P, P}, Init::fan_in, fan_in);
  patch_weight_ = patch_weight_.to(at::kFloat);
  patch_bias_ = (patch / "proj").tensor("bias", {C}, Init::fan_in, fan_in).to(at::kFloat);
  pos_embed_ = patch.tensor("pos_embed", {1, size * size, C}, Init::normal_02);
  for (int64_t i = 0; i < config.num_layers; ++i)
    transformer_blocks.emplace_back(w / "transformer_blocks" / i, config, i);
}

Context Transformer::prepare(const at::Tensor& text, const at::Tensor& pooled) const {
  require_shape(text, {-1, -1, config_.joint_attention_dim}, "text");
  require_shape(pooled, {text.size(0), config_.pooled_projection_dim}, "pooled");
  Context context{context_embedder(text), text_embedder(pooled)};  // [B, M, C], [B, C]
  require_finite(context.text, "context_embedder");
  require_finite(context.pooled, "time_text_embed.text_embedder");
  return context;
}

at::Tensor Transformer::positions(int64_t height, int64_t width) const {
  const int64_t size = config_.pos_embed_max_size;
  for (const int64_t length : {height, width}) {
    require(length <= size, ErrorKind::shape, "latents: make ", length, " tokens along one axis; expected at most ",
            size, ", the size of the table of positions");
  }
  const at::Tensor middle = pos_embed_.view({size, size, -1})
                                .narrow(0, (size - height) / 2, height)
                                .narrow(1, (size - width) / 2, width);            // [h, w, C]
  return middle.to(at::kFloat).reshape({1, height * width, pos_embed_.size(2)});  // [1, L, C]
}

at::Tensor Transformer::run(const at::Tensor& latents, const at::Tensor& timestep, const Context& context,
                            const std::vector<int64_t>& skip_layers, const Probe& probe) const {
  const auto look = [&](const std::string& module, const at::Tensor& output) {
    if (probe) probe(module, output);
  };
  const auto [B, C, H, W] = dims<4>(latents, "latents");
  require_shape(latents, {B, config_.in_channels, H, W}, "latents");
  require_shape(timestep, {B}, "timestep");
  require_shape(context.text, {B, -1, config_.dim()}, "context.text");
  require_shape(context.pooled, {B, config_.dim()}, "context.pooled");
  for (const auto layer : skip_layers) {
    require(layer >= 0 && layer < config_.num_layers, ErrorKind::usage, "skip layers: expected 0 to ",
            config_.num_layers - 1, ", found ", layer);
  }
  look("latents", latents);
  const int64_t P = config_.patch_size;
  const at::Tensor patches = ops::patchify(latents.to(at::kFloat).unsqueeze(2), {1, P, P});  // [B, L, in*P*P]
  // The blocks add into their streams, and the context serves other steps too.
  layers::Streams streams{at::linear(patches, patch_weight_.flatten(1), patch_bias_) + positions(H / P, W / P),
                          context.text.clone()};  // [B, L, C], [B, M, C]
  look("pos_embed", streams.picture);
  const at::Tensor time = timestep_embedder(sinusoid(timestep));
  const at::Tensor condition = at::silu(time + context.pooled);  // [B, C]
  look("time_text_embed", condition);
  for (int64_t i = 0; i < config_.num_layers; ++i) {
    if (std::find(skip_layers.begin(), skip_layers.end(), i) != skip_layers.end()) continue;
    streams = transformer_blocks[static_cast<size_t>(i)](std::move(streams), condition);
    const std::string name = "transformer_blocks." + std::to_string(i);
    look(name, streams.picture);
    if (streams.text.defined()) look(name + " (text)", streams.text);
  }
  const at::Tensor tokens = proj_out(norm_out(streams.picture, condition, at::kFloat));  // [B, L, P*P*out]
  look("proj_out", tokens);
  return ops::unpatchify(tokens, {1, H / P, W / P}, {1, P, P}).squeeze(2);  // [B, out, H, W]
}

at::Tensor Transformer::operator()(const at::Tensor& latents, const at::Tensor& timestep, const Context& context,
                                   const std::vector<int64_t>& skip_layers) const {
  return run(latents, timestep, context, skip_layers, {});
}

std::string Transformer::first_non_finite(const at::Tensor& latents, const at::Tensor& timestep,
                                          const Context& context) const {
  layers::FirstNonFinite first;
  run(latents, timestep, context, {}, first.probe());
  return first.module();
}

}  // namespace keyflow::sd3
