#include "models/clip/text.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/where.h>

#include <limits>

#include "core/shape.h"

namespace keyflow::clip {

using layers::Bias;
using weights::Init;
using weights::Scope;

namespace {

/// [L, L], 0 where a token may look and -infinity at later ones.
at::Tensor causal_bias(int64_t length, at::Device device) {
  return at::full({length, length}, -std::numeric_limits<float>::infinity(), device).triu(1);
}

}  // namespace

TextModel::TextModel(const Scope& w, const TextConfig& config)
    : config_((config.validate(), config)),
      final_layer_norm(w / "final_layer_norm", config.hidden_size, config.layer_norm_eps) {
  const int64_t C = config.hidden_size;
  const Scope embeddings = w / "embeddings";
  token_embedding_ = (embeddings / "token_embedding").tensor("weight", {config.vocab_size, C}, Init::normal_02);
  position_embedding_ = (embeddings / "position_embedding")
                            .tensor("weight", {config.max_position_embeddings, C}, Init::normal_02)
                            .to(at::kFloat);
  const LayerSizes sizes{C, config.intermediate_size, config.num_attention_heads, config.layer_norm_eps,
                         config.hidden_act == "quick_gelu"};
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) layers_.emplace_back(w / "encoder" / "layers" / i, sizes);
  if (config.projection_dim > 0) text_projection.emplace(w / "text_projection", C, config.projection_dim, Bias::no);
}

at::Tensor TextModel::embed(const at::Tensor& ids, const at::Tensor& extra) const {
  const int64_t V = config_.vocab_size, K = extra.defined() ? extra.size(0) : 0;
  if (extra.defined()) require_shape(extra, {-1, config_.hidden_size}, "learned embeddings");
  const int64_t least = ids.min().item<int64_t>(), most = ids.max().item<int64_t>();
  require(least >= 0 && most < V + K, ErrorKind::usage, "text encoder: expected token ids from 0 to ", V + K - 1,
          ", found ", least < 0 ? least : most, "; hint: the tokenizer belongs to another model");
  const at::Tensor known = at::embedding(token_embedding_, ids.clamp_max(V - 1)).to(at::kFloat);  // [B, L, C]
  if (most < V) return known;
  const at::Tensor learned = at::embedding(extra.to(ids.device(), at::kFloat), (ids - V).clamp_min(0));
  return at::where((ids >= V).unsqueeze(2), learned, known);
}

std::vector<at::Tensor> TextModel::hidden_states(const at::Tensor& ids, const at::Tensor& extra) const {
  const auto [B, L] = dims<2>(ids, "token ids");
  require(L >= 1 && L <= config_.max_position_embeddings, ErrorKind::usage, "text encoder: expected 1 to ",
          config_.max_position_embeddings, " tokens, found ", L);
  std::vector<at::Tensor> states{embed(ids, extra) + position_embedding_.narrow(0, 0, L)};  // [B, L, C]
  const at::Tensor bias = causal_bias(L, ids.device());
  for (const auto& layer : layers_) states.push_back(layer(states.back().clone(), bias));
  return states;
}

at::Tensor TextModel::final_norm(const at::Tensor& state) const { return final_layer_norm(state); }

at::Tensor TextModel::end_positions(const at::Tensor& ids) const {
  constexpr int64_t kHighestId = 2;
  const at::Tensor rows = ids.to(at::kCPU, at::kLong).contiguous();
  at::Tensor positions = at::empty({ids.size(0)}, at::kLong);
  for (int64_t b = 0; b < ids.size(0); ++b) {
    const int64_t *begin = rows.const_data_ptr<int64_t>() + b * ids.size(1), *end = begin + ids.size(1);
    const auto rank = [&](int64_t id) { return id < config_.vocab_size ? id : -1; };
    const int64_t* found = config_.eos_token_id == kHighestId
                               ? std::max_element(begin, end, [&](int64_t a, int64_t b) { return rank(a) < rank(b); })
                               : std::find(begin, end, config_.eos_token_id);
    require(found != end, ErrorKind::usage, "text encoder: expected the end token ", config_.eos_token_id,
            " in prompt ", b, ", found none among ", ids.size(1), " tokens");
    positions[b] = found - begin;
  }
  return positions.to(ids.device());
}

at::Tensor TextModel::pool(const at::Tensor& last, const at::Tensor& ids) const {
  const auto [B, L] = dims<2>(ids, "token ids");
  require_shape(last, {B, L, config_.hidden_size}, "last hidden state");
  const at::Tensor index = end_positions(ids).view({B, 1, 1}).expand({B, 1, config_.hidden_size});
  return final_layer_norm(last.gather(1, index).squeeze(1));  // [B, C]
}

at::Tensor TextModel::project(const at::Tensor& pooled) const {
  require_shape(pooled, {-1, config_.hidden_size}, "pooled text");
  return text_projection ? (*text_projection)(pooled).to(at::kFloat) : pooled;
}

}  // namespace keyflow::clip
