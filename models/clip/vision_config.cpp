#include "models/clip/vision_config.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fields.h"
#include "models/clip/vision_keys.h"

namespace keyflow::clip {

void VisionConfig::validate() const {
  const auto in_range = [](const char* name, int64_t value, int64_t least, int64_t most) {
    require(value >= least && value <= most, ErrorKind::config, "clip vision: ", name, ": expected ", least, " to ",
            most, ", found ", value);
  };
  in_range("image_size", image_size, 1, 1 << 14);
  in_range("patch_size", patch_size, 1, image_size);
  in_range("hidden_size", hidden_size, 1, 1 << 16);
  in_range("intermediate_size", intermediate_size, 1, 1 << 20);
  in_range("num_hidden_layers", num_hidden_layers, 2, 1000);
  in_range("num_attention_heads", num_attention_heads, 1, hidden_size);
  require(hidden_size % num_attention_heads == 0, ErrorKind::config, "clip vision: hidden_size ", hidden_size,
          ": expected a multiple of num_attention_heads, found ", num_attention_heads);
  require(layer_norm_eps > 0 && layer_norm_eps < 1, ErrorKind::config,
          "clip vision: layer_norm_eps: expected 0 to 1, found ", layer_norm_eps);
}

VisionConfig vision_config_from_json(const nlohmann::json& json, const std::string& where) {
  VisionConfig config;
  JsonFields fields(json, where);
  std::string activation = "quick_gelu";  // what transformers assumes where the file says nothing
  fields.read("image_size", config.image_size);
  fields.read("patch_size", config.patch_size);
  fields.read("hidden_size", config.hidden_size);
  fields.read("intermediate_size", config.intermediate_size);
  fields.read("num_hidden_layers", config.num_hidden_layers);
  fields.read("num_attention_heads", config.num_attention_heads);
  fields.read("layer_norm_eps", config.layer_norm_eps);
  fields.read("hidden_act", activation);
  fields.expect("num_channels", {3});
  fields.expect("model_type", {"clip_vision_model"});
  // Training, projection and book-keeping: nothing that the penultimate layer depends on.
  for (const char* key : {"_name_or_path", "architectures", "attention_dropout", "dropout", "dtype", "torch_dtype",
                          "initializer_factor", "initializer_range", "projection_dim", "transformers_version"}) {
    fields.skip(key);
  }
  fields.finish();
  require(activation == "gelu" || activation == "quick_gelu", ErrorKind::unsupported, where,
          ": hidden_act: expected gelu or quick_gelu, found ", printable(activation));
  config.hidden_act = activation == "gelu" ? Activation::gelu : Activation::quick_gelu;
  config.validate();
  return config;
}

VisionConfig vision_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  VisionConfig config;
  const auto rename = vision_keys(tensors).rename();
  const auto find = [&](const std::string& name) -> const std::vector<int64_t>* {
    const std::string wanted = rename(name).name;
    for (const auto& info : tensors) {
      if (info.name == wanted) return &info.shape;
    }
    return nullptr;
  };
  const auto* patch = find("embeddings.patch_embedding.weight");
  const auto* positions = find("embeddings.position_embedding.weight");
  const auto* inner = find("encoder.layers.0.mlp.fc1.weight");
  require(patch && patch->size() == 4 && positions && positions->size() >= 2 && inner && inner->size() == 2,
          ErrorKind::weights,
          "clip vision: expected patch, position and feed-forward weights, found a checkpoint without");
  config.hidden_size = (*patch)[0];
  config.patch_size = (*patch)[2];
  config.intermediate_size = (*inner)[0];
  const auto side =
      static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>((*positions)[positions->size() - 2] - 1))));
  config.image_size = side * config.patch_size;
  config.num_hidden_layers = 0;
  while (find("encoder.layers." + std::to_string(config.num_hidden_layers) + ".mlp.fc1.weight"))
    ++config.num_hidden_layers;
  config.num_attention_heads = std::max<int64_t>(1, config.hidden_size / 80);
  config.validate();
  return config;
}

}  // namespace keyflow::clip
