#include "models/clip/config.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fields.h"
#include "core/shape.h"
#include "models/clip/keys.h"

namespace keyflow::clip {

using nlohmann::json;

void VisionConfig::validate() const {
  visit(*this, [](const char* name, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, int64_t>) {
      require(value >= 1 && value <= 1 << 20, ErrorKind::config, "picture encoder: ", name, ": expected 1 to ", 1 << 20,
              ", found ", value);
    }
  });
  require(num_hidden_layers >= 2 && num_hidden_layers <= 1000, ErrorKind::config,
          "picture encoder: num_hidden_layers: expected 2 to 1000, found ", num_hidden_layers);
  require(hidden_size % num_attention_heads == 0, ErrorKind::config, "picture encoder: hidden_size ", hidden_size,
          " is not a multiple of num_attention_heads ", num_attention_heads);
  require(image_size <= 1 << 14 && image_size % patch_size == 0, ErrorKind::config, "picture encoder: image_size ",
          image_size, ": expected a multiple of patch_size ", patch_size, ", at most ", 1 << 14);
  require(layer_norm_eps > 0 && layer_norm_eps < 1, ErrorKind::config,
          "picture encoder: layer_norm_eps: expected 0 to 1, found ", layer_norm_eps);
  require(hidden_act == "gelu" || hidden_act == "quick_gelu", ErrorKind::config,
          "picture encoder: hidden_act: expected gelu or quick_gelu, found ", printable(hidden_act));
}

VisionConfig vision_config_from_json(const json& object, const std::string& where, const VisionConfig& base) {
  VisionConfig config = base;
  JsonFields fields(object, where);
  VisionConfig::visit(config, [&](const char* name, auto& value) { fields.read(name, value); });
  fields.expect("model_type", {"clip_vision_model"});
  // Training, the projection that is not run, and what transformers notes about itself.
  for (const char* key :
       {"architectures", "attention_dropout", "dropout", "initializer_factor", "initializer_range", "projection_dim",
        "torch_dtype", "dtype", "transformers_version", "_name_or_path", "_attn_implementation_autoset"}) {
    fields.skip(key);
  }
  fields.finish();
  config.validate();
  return config;
}

VisionConfig vision_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  const VisionKeys keys = vision_keys(tensors);
  const weights::Rename rename = keys.rename();
  std::map<std::string, const weights::TensorInfo*> present;
  for (const auto& info : tensors) present[info.name] = &info;
  const auto find = [&](const std::string& name) {
    const auto found = present.find(rename(name).name);
    return found == present.end() ? nullptr : found->second;
  };
  const auto shape = [&](const std::string& name, size_t rank) -> const std::vector<int64_t>& {
    const auto* found = find(name);
    require(found && found->shape.size() == rank, ErrorKind::weights, "picture encoder: expected a tensor ",
            rename(name).name, " of ", rank, " dimensions, found ", found ? shape_text(found->shape) : "none");
    return found->shape;
  };
  VisionConfig config;
  const auto& patch = shape("embeddings.patch_embedding.weight", 4);
  config.hidden_size = patch[0];
  config.num_channels = patch[1];
  config.patch_size = patch[2];
  config.intermediate_size = shape("encoder.layers.0.mlp.fc1.weight", 2)[0];
  config.num_hidden_layers = 0;
  while (find("encoder.layers." + std::to_string(config.num_hidden_layers) + ".mlp.fc1.weight")) {
    ++config.num_hidden_layers;
  }
  const auto* positions = find("embeddings.position_embedding.weight");
  require(positions && config.hidden_size > 0, ErrorKind::weights, "picture encoder: expected a tensor ",
          rename("embeddings.position_embedding.weight").name, ", found none");
  const int64_t patches = positions->numel() / config.hidden_size - 1;  // one position is the class token's
  const auto edge = static_cast<int64_t>(std::sqrt(static_cast<double>(std::max<int64_t>(0, patches))));
  require(edge <= 1 << 14 && config.patch_size <= 1 << 14, ErrorKind::weights,
          "picture encoder: ", shape_text(positions->shape), " positions of patches ", shape_text(patch),
          ": expected pictures of at most ", 1 << 14, " pixels");
  config.image_size = edge * config.patch_size;
  config.num_attention_heads = config.hidden_size == 1280 ? 16 : std::max<int64_t>(1, config.hidden_size / 64);
  config.validate();
  return config;
}

json to_json(const VisionConfig& config) {
  json object = {{"architectures", {"CLIPVisionModel"}}, {"model_type", "clip_vision_model"}};
  VisionConfig::visit(config, [&](const char* name, const auto& value) { object[name] = value; });
  return object;
}

}  // namespace keyflow::clip
