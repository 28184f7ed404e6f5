#include "models/sd3/config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fields.h"
#include "models/sd3/keys.h"
#include "weights/shape_finder.h"

namespace keyflow::sd3 {

using nlohmann::json;

namespace {

constexpr int64_t kAsManyAsIn = 0;
constexpr const char* kRmsNorm = "rms_norm";

struct FieldReader {
  JsonFields& fields;
  const json& object;

  void operator()(const std::string& name, int64_t& value) {
    // null is diffusers' word for "as many as go in".
    if (name == "out_channels") {
      fields.read_or_null(name, value, kAsManyAsIn);
    } else {
      fields.read(name, value);
    }
  }
  void operator()(const std::string& name, std::vector<int64_t>& value) { fields.read(name, value); }
  void operator()(const std::string& name, bool& value) {
    fields.expect(name, {nullptr, kRmsNorm});
    if (object.contains(name)) value = object.at(name) == kRmsNorm;
  }
};

}  // namespace

void TransformerConfig::validate() const {
  visit(*this, [](const std::string& name, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, int64_t>) {
      const int64_t most = name == "patch_size" ? 64 : name.starts_with("num_") ? 1000 : 1 << 20;
      require(value >= 1 && value <= most, ErrorKind::config, "sd3 transformer: ", name, ": expected 1 to ", most,
              ", found ", value);
    }
  });
  require(pos_embed_max_size <= 4096, ErrorKind::config,
          "sd3 transformer: pos_embed_max_size: expected at most 4096, found ", pos_embed_max_size);
  for (const auto layer : dual_attention_layers) {
    require(layer >= 0 && layer < num_layers, ErrorKind::config,
            "sd3 transformer: dual_attention_layers: expected 0 to ", num_layers - 1, ", found ", layer);
  }
}

TransformerConfig transformer_config_from_json(const json& json_object, const std::string& where,
                                               const TransformerConfig& base) {
  TransformerConfig config = base;
  JsonFields fields(json_object, where);
  std::string class_name = "SD3Transformer2DModel";
  fields.read("_class_name", class_name);
  require(class_name == "SD3Transformer2DModel", ErrorKind::unsupported, where,
          ": _class_name: expected SD3Transformer2DModel, found ", printable(class_name));
  TransformerConfig::visit(config, FieldReader{fields, json_object});
  if (config.out_channels == kAsManyAsIn) config.out_channels = config.in_channels;
  int64_t text_width = 0;
  const bool text_stated = fields.read("caption_projection_dim", text_width);
  // Book-keeping of diffusers; nothing is computed with it.
  for (const char* key : {"_diffusers_version", "_name_or_path", "_use_default_values"}) fields.skip(key);
  fields.finish();
  config.validate();
  require(!text_stated || text_width == config.dim(), ErrorKind::config, where, ": caption_projection_dim: expected ",
          config.dim(), " (heads times head size), found ", text_width);
  return config;
}

TransformerConfig transformer_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  const weights::ShapeFinder shapes(tensors, transformer_keys(tensors).rename(), "sd3 transformer");
  TransformerConfig config;
  const auto patch = shapes.get("pos_embed.proj.weight", 4);  // [C, in, P, P]
  const auto out = shapes.get("proj_out.weight", 2);          // [P*P*out, C]
  const auto table = shapes.get("pos_embed.pos_embed", 3);    // [1, size*size, C]
  config.in_channels = patch[1];
  config.patch_size = patch[2];
  require(config.patch_size >= 1 && config.patch_size <= 64, ErrorKind::weights,
          "sd3 transformer: pos_embed.proj.weight: expected patches of 1 to 64, found ", config.patch_size);
  config.out_channels = out[0] / (config.patch_size * config.patch_size);
  config.pos_embed_max_size = std::llround(std::sqrt(static_cast<double>(table[1])));
  require(config.pos_embed_max_size * config.pos_embed_max_size == table[1], ErrorKind::weights,
          "sd3 transformer: pos_embed.pos_embed: expected a square number of rows, found ", table[1]);
  config.joint_attention_dim = shapes.get("context_embedder.weight", 2)[1];
  config.pooled_projection_dim = shapes.get("time_text_embed.text_embedder.linear_1.weight", 2)[1];
  config.qk_norm = shapes.has("transformer_blocks.0.attn.norm_q.weight");
  if (config.qk_norm) {
    config.attention_head_dim = std::max<int64_t>(1, shapes.get("transformer_blocks.0.attn.norm_q.weight", 1)[0]);
  }
  config.num_attention_heads = patch[0] / config.attention_head_dim;
  config.num_layers = shapes.count_blocks("transformer_blocks", {"attn.to_q.weight", "norm1.linear.weight"});
  for (int64_t i = 0; i < config.num_layers; ++i) {
    if (shapes.has(c10::str("transformer_blocks.", i, ".attn2.to_q.weight"))) config.dual_attention_layers.push_back(i);
  }
  return config;
}

json to_json(const TransformerConfig& config) {
  json object;
  TransformerConfig::visit(config, [&](const char* name, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, bool>) {
      object[name] = value ? json(kRmsNorm) : json(nullptr);
    } else {
      object[name] = value;
    }
  });
  return object;
}

}  // namespace keyflow::sd3
