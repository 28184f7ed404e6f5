#include "models/wan/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>

#include "core/shape.h"
#include "ops/gelu.h"
#include "ops/layer_norm.h"
#include "ops/patchify.h"
#include "ops/rope.h"
#include "ops/timestep.h"

namespace keyflow::wan {

using layers::Linear;
using weights::Init;
using weights::Scope;

namespace {

// The two norms of the image projection keep torch's default, unlike every other norm of the network.
constexpr double kImageNormEps = 1e-5;

int64_t patch_volume(const TransformerConfig& config) {
  const auto [t, h, w] = config.patch_size;
  return t * h * w;
}

bool finite(const at::Tensor& x) { return at::isfinite(x).all().item<bool>(); }

/// Once per run, so that a bad embedding is named here and not by every block. While training it would stop a GPU at
/// each step.
void require_finite(const at::Tensor& x, const char* module) {
  require(at::GradMode::is_enabled() || finite(x), ErrorKind::numeric, module, ": its output holds NaN or infinity");
}

}  // namespace

Transformer::Mlp::Mlp(const Scope& w, int64_t in, int64_t out) : first(w / 0, in, out), second(w / 2, out, out) {}

Transformer::TimeEmbedding::TimeEmbedding(const Scope& w, const TransformerConfig& config)
    : first(Linear::fp32(w / 0, config.freq_dim, config.dim)), second(Linear::fp32(w / 2, config.dim, config.dim)) {}

Transformer::ImageEmbedding::ImageEmbedding(const Scope& w, const TransformerConfig& config)
    : norm_in(w / "proj" / 0, config.image_dim, kImageNormEps),
      first(w / "proj" / 1, config.image_dim, config.image_dim),
      second(w / "proj" / 3, config.image_dim, config.dim),
      norm_out(w / "proj" / 4, config.dim, kImageNormEps) {
  if (config.image_pos_len == 0) return;
  emb_pos = w.tensor("emb_pos", {1, config.image_pos_len, config.image_dim}, Init::zeros).to(at::kFloat);
}

at::Tensor Transformer::ImageEmbedding::operator()(at::Tensor tokens) const {
  tokens = tokens.to(at::kFloat);  // [B, K, image_dim]
  if (emb_pos.defined()) tokens = tokens + emb_pos;
  return norm_out(second(at::gelu(first(norm_in(tokens)))));  // [B, K, C]
}

Transformer::Transformer(const Scope& w, const TransformerConfig& config)
    : config_((config.validate(), config)),
      text_embedding(w / "text_embedding", config.text_dim, config.dim),
      time_embedding(w / "time_embedding", config),
      time_projection(Linear::fp32(w / "time_projection" / 1, config.dim, 6 * config.dim)),
      head(Linear::fp32(w / "head" / "head", config.dim, config.out_dim * patch_volume(config))),
      head_modulation_((w / "head").tensor("modulation", {1, 2, config.dim}, Init::normal_02).to(at::kFloat)) {
  const auto [t, h, p] = config.patch_size;
  const int64_t fan_in = config.in_dim * patch_volume(config);
  const Scope patch = w / "patch_embedding";
  // A convolution whose stride is its kernel is one linear layer over patches; in float32, for it feeds the stream.
  patch_weight_ = patch.tensor("weight", {config.dim, config.in_dim, t, h, p}, Init::fan_in, fan_in).to(at::kFloat);
  patch_bias_ = patch.tensor("bias", {config.dim}, Init::fan_in, fan_in).to(at::kFloat);
  if (config.image_dim > 0) img_emb.emplace(w / "img_emb", config);
  blocks.reserve(static_cast<size_t>(config.num_layers));
  for (int64_t i = 0; i < config.num_layers; ++i) blocks.emplace_back(w / "blocks" / i, config);
}

std::vector<KeyValue> Transformer::text_keys(const at::Tensor& text) const {
  require_shape(text, {-1, -1, config_.text_dim}, "text");
  const int64_t missing = config_.text_len - text.size(1);
  require(missing >= 0, ErrorKind::shape, "text: expected at most ", config_.text_len, " tokens, found ", text.size(1));
  const at::Tensor padded = missing ? at::constant_pad_nd(text, {0, 0, 0, missing}) : text;         // [B, text_len, E]
  const at::Tensor embedded = text_embedding.second(ops::gelu_tanh(text_embedding.first(padded)));  // [B, text_len, C]
  require_finite(embedded, "text_embedding");
  std::vector<KeyValue> keys;
  for (const auto& block : blocks) keys.push_back(block.cross().text(embedded));
  return keys;
}

Context Transformer::prepare(const at::Tensor& text, const at::Tensor& image) const {
  Context context{text_keys(text), {}};
  if (!image.defined()) return context;
  require(img_emb.has_value(), ErrorKind::unsupported,
          "wan: this checkpoint has no image branch; expected no picture tokens, found ", shape_text(image.sizes()));
  require_shape(image, {text.size(0), config_.image_pos_len ? config_.image_pos_len : -1, config_.image_dim}, "image");
  const at::Tensor embedded = (*img_emb)(image);  // [B, K, C]
  require_finite(embedded, "img_emb");
  for (const auto& block : blocks) context.image.push_back(block.cross().image(embedded));
  return context;
}

Context Transformer::with_text(const Context& context, const at::Tensor& text) const {
  return {text_keys(text), context.image};
}

Transformer::Pass Transformer::begin(const at::Tensor& latents, const at::Tensor& timestep,
                                     const Context& context) const {
  const auto [B, C, T, H, W] = dims<5>(latents, "latents");
  require_shape(latents, {B, config_.in_dim, T, H, W}, "latents");
  require_shape(timestep, {B}, "timestep");
  require(context.text.size() == blocks.size() && context.text[0].key.size(0) == B, ErrorKind::shape,
          "context: expected one of batch ", B, " prepared by this network");
  Pass pass;
  const auto& patch = config_.patch_size;
  const at::Tensor patches = ops::patchify(latents.to(at::kFloat), patch);  // [B, L, in*P]
  pass.grid = {T / patch[0], H / patch[1], W / patch[2]};
  for (const auto length : pass.grid) {
    require(length <= config_.rope_max_len, ErrorKind::shape, "latents: ", shape_text(latents.sizes()), " make ",
            length, " tokens along one axis; expected at most ", config_.rope_max_len);
  }
  pass.table = ops::rope_table(pass.grid, config_.head_size()).to(latents.device(), at::kComplexFloat);
  pass.e = time_embedding.second(at::silu(time_embedding.first(ops::timestep_embedding(timestep, config_.freq_dim))));
  pass.e0 = time_projection(at::silu(pass.e)).unflatten(1, {6, config_.dim});  // [B, 6, C]
  pass.x = at::linear(patches, patch_weight_.flatten(1), patch_bias_);         // [B, L, C]
  return pass;
}

at::Tensor Transformer::finish(const Pass& pass) const {
  const auto m = (head_modulation_ + pass.e.unsqueeze(1)).split(1, 1);  // shift and scale, [B, 1, C]
  const at::Tensor tokens = head(ops::modulate(pass.x, m[0], m[1], config_.eps, at::kFloat));  // [B, L, P*out]
  return ops::unpatchify(tokens, pass.grid, config_.patch_size);                               // [B, out, T, H, W]
}

at::Tensor Transformer::operator()(const at::Tensor& latents, const at::Tensor& timestep,
                                   const Context& context) const {
  Pass pass = begin(latents, timestep, context);
  const KeyValue none;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Modulation m = blocks[i].modulation(pass.e0);
    pass.x = blocks[i].self_attention(std::move(pass.x), m, pass.table);
    pass.x =
        blocks[i].cross_attention(std::move(pass.x), context.text[i], context.image.empty() ? none : context.image[i]);
    pass.x = blocks[i].feed_forward(std::move(pass.x), m);
  }
  return finish(pass);
}

std::string Transformer::first_non_finite(const at::Tensor& latents, const at::Tensor& timestep,
                                          const Context& context) const {
  if (!finite(latents)) return "latents";
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string name = "blocks." + std::to_string(i) + ".cross_attn";
    if (!finite(context.text[i].key) || !finite(context.text[i].value)) return name + " (text)";
    if (context.image.empty()) continue;
    if (!finite(context.image[i].key) || !finite(context.image[i].value)) return name + " (image)";
  }
  Pass pass = begin(latents, timestep, context);
  if (!finite(pass.x)) return "patch_embedding";
  if (!finite(pass.e)) return "time_embedding";
  if (!finite(pass.e0)) return "time_projection";
  const KeyValue none;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string name = "blocks." + std::to_string(i) + ".";
    const Modulation m = blocks[i].modulation(pass.e0);
    pass.x = blocks[i].self_attention(std::move(pass.x), m, pass.table);
    if (!finite(pass.x)) return name + "self_attn";
    pass.x =
        blocks[i].cross_attention(std::move(pass.x), context.text[i], context.image.empty() ? none : context.image[i]);
    if (!finite(pass.x)) return name + "cross_attn";
    pass.x = blocks[i].feed_forward(std::move(pass.x), m);
    if (!finite(pass.x)) return name + "ffn";
  }
  return finite(finish(pass)) ? "" : "head";
}

}  // namespace keyflow::wan
