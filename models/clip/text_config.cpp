#include "models/clip/text_config.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fields.h"
#include "core/shape.h"

namespace keyflow::clip {

using nlohmann::json;

namespace {

constexpr int64_t kEndToken = 49407;  // of CLIP's own vocabulary

bool has_projection(const json& object) {
  const auto found = object.find("architectures");
  return found != object.end() && found->is_array() && std::any_of(found->begin(), found->end(), [](const json& name) {
           return name == "CLIPTextModelWithProjection";
         });
}

}  // namespace

void TextConfig::validate() const {
  visit(*this, [](const char* name, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, int64_t>) {
      const bool may_be_zero = std::string_view(name) == "projection_dim" || std::string_view(name) == "eos_token_id";
      require(value >= (may_be_zero ? 0 : 1) && value <= 1 << 24, ErrorKind::config, "text encoder: ", name,
              ": expected ", may_be_zero ? 0 : 1, " to ", 1 << 24, ", found ", value);
    }
  });
  require(num_hidden_layers <= 1000, ErrorKind::config, "text encoder: num_hidden_layers: expected 1 to 1000, found ",
          num_hidden_layers);
  require(hidden_size % num_attention_heads == 0, ErrorKind::config, "text encoder: hidden_size ", hidden_size,
          " is not a multiple of num_attention_heads ", num_attention_heads);
  require(eos_token_id < vocab_size, ErrorKind::config, "text encoder: eos_token_id ", eos_token_id,
          " lies outside the vocabulary of ", vocab_size);
  require(layer_norm_eps > 0 && layer_norm_eps < 1, ErrorKind::config,
          "text encoder: layer_norm_eps: expected 0 to 1, found ", layer_norm_eps);
  require(hidden_act == "gelu" || hidden_act == "quick_gelu", ErrorKind::config,
          "text encoder: hidden_act: expected gelu or quick_gelu, found ", printable(hidden_act));
}

TextConfig text_config_from_json(const json& object, const std::string& where, const TextConfig& base) {
  TextConfig config = base;
  JsonFields fields(object, where);
  TextConfig::visit(config, [&](const char* name, auto& value) {
    if (name != std::string_view("projection_dim")) fields.read(name, value);
  });
  int64_t projection_dim = base.projection_dim;
  fields.read_or_null("projection_dim", projection_dim, 0);
  if (has_projection(object)) config.projection_dim = projection_dim;
  fields.expect("model_type", {"clip_text_model"});
  // Training, the tokenizer's marks, generation, and what transformers notes about itself.
  for (const char* key :
       {"architectures", "attention_dropout", "dropout", "initializer_factor", "initializer_range", "torch_dtype",
        "dtype", "transformers_version", "_name_or_path", "_attn_implementation_autoset", "bos_token_id",
        "pad_token_id", "tie_word_embeddings", "use_attention_mask", "use_cache"}) {
    fields.skip(key);
  }
  fields.finish();
  config.validate();
  return config;
}

TextConfig text_config_from_tensors(const std::vector<weights::TensorInfo>& tensors, const TextKeys& keys) {
  const weights::Rename rename = keys.rename();
  std::map<std::string, const weights::TensorInfo*> present;
  for (const auto& info : tensors) present[info.name] = &info;
  const auto find = [&](const std::string& name) {
    const auto found = present.find(rename(name).name);
    return found == present.end() ? nullptr : found->second;
  };
  const auto matrix = [&](const std::string& name) -> const std::vector<int64_t>& {
    const auto* found = find(name);
    require(found && found->shape.size() == 2, ErrorKind::weights, "text encoder: expected a matrix ",
            printable(rename(name).name), ", found ", found ? shape_text(found->shape) : "none");
    return found->shape;
  };
  TextConfig config;
  config.vocab_size = matrix("embeddings.token_embedding.weight")[0];
  config.hidden_size = matrix("embeddings.token_embedding.weight")[1];
  config.max_position_embeddings = matrix("embeddings.position_embedding.weight")[0];
  config.intermediate_size = matrix("encoder.layers.0.mlp.fc1.weight")[0];
  config.num_hidden_layers = 0;
  while (find(c10::str("encoder.layers.", config.num_hidden_layers, ".mlp.fc1.weight"))) ++config.num_hidden_layers;
  config.num_hidden_layers -= keys.unused_layers;
  config.num_attention_heads = std::max<int64_t>(1, config.hidden_size / 64);
  config.hidden_act = config.hidden_size == 768 ? "quick_gelu" : "gelu";
  config.eos_token_id = std::min(kEndToken, config.vocab_size - 1);
  const char* projection = "text_projection.weight";
  if (keys.unused_layers == 0 && find(projection)) {
    config.projection_dim = matrix(projection)[rename(projection).transposed ? 1 : 0];
  }
  config.validate();
  return config;
}

json to_json(const TextConfig& config) {
  const char* name = config.projection_dim > 0 ? "CLIPTextModelWithProjection" : "CLIPTextModel";
  json object = {{"architectures", {name}}, {"model_type", "clip_text_model"}};
  TextConfig::visit(config, [&](const char* field, const auto& value) { object[field] = value; });
  return object;
}

}  // namespace keyflow::clip
