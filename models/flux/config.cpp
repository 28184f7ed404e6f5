#include "models/flux/config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fields.h"
#include "models/flux/keys.h"
#include "weights/shape_finder.h"

namespace keyflow::flux {

using nlohmann::json;

namespace {

constexpr int64_t kAsManyAsIn = 0;

struct FieldReader {
  JsonFields& fields;
  std::vector<int64_t> axes;

  void operator()(const std::string& name, int64_t& value) {
    // null is diffusers' word for "as many as go in".
    if (name == "out_channels") {
      fields.read_or_null(name, value, kAsManyAsIn);
    } else {
      fields.read(name, value);
    }
  }
  void operator()(const std::string& name, bool& value) { fields.read(name, value); }
  void operator()(const std::string& name, std::array<int64_t, 3>&) { fields.read(name, axes); }
};

}  // namespace

void TransformerConfig::validate() const {
  visit(*this, [](const char* name, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, int64_t>) {
      const int64_t most = std::string_view(name).starts_with("num_") ? 1000 : 1 << 20;
      require(value >= 1 && value <= most, ErrorKind::config, "flux transformer: ", name, ": expected 1 to ", most,
              ", found ", value);
    }
  });
  for (const auto& [name, channels] :
       {std::pair{"in_channels", in_channels}, std::pair{"out_channels", out_channels}}) {
    require(channels % 4 == 0, ErrorKind::config, "flux transformer: ", name,
            ": expected a multiple of 4 (a token holds 2x2 latents), found ", channels);
  }
  int64_t turned = 0;
  for (const auto size : axes_dims_rope) {
    require(size >= 2 && size % 2 == 0 && size <= 1 << 20, ErrorKind::config,
            "flux transformer: axes_dims_rope: expected even sizes, found ", size);
    turned += size;
  }
  require(turned == attention_head_dim, ErrorKind::config, "flux transformer: axes_dims_rope: expected a sum of ",
          attention_head_dim, " (attention_head_dim), found ", turned);
}

TransformerConfig transformer_config_from_json(const json& json_object, const std::string& where,
                                               const TransformerConfig& base) {
  TransformerConfig config = base;
  JsonFields fields(json_object, where);
  std::string class_name = "FluxTransformer2DModel";
  fields.read("_class_name", class_name);
  require(class_name == "FluxTransformer2DModel", ErrorKind::unsupported, where,
          ": _class_name: expected FluxTransformer2DModel, found ", printable(class_name));
  FieldReader reader{fields, {config.axes_dims_rope.begin(), config.axes_dims_rope.end()}};
  TransformerConfig::visit(config, reader);
  if (config.out_channels == kAsManyAsIn) config.out_channels = config.in_channels;
  // Tokens are packed before they come to the network, so its own patches are single ones.
  fields.expect("patch_size", {1});
  // Book-keeping of diffusers; nothing is computed with it.
  for (const char* key : {"_diffusers_version", "_name_or_path", "_use_default_values"}) fields.skip(key);
  fields.finish();
  require(reader.axes.size() == 3, ErrorKind::config, where, ": axes_dims_rope: expected 3 values, found ",
          reader.axes.size());
  std::copy(reader.axes.begin(), reader.axes.end(), config.axes_dims_rope.begin());
  config.validate();
  return config;
}

TransformerConfig transformer_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  const weights::ShapeFinder shapes(tensors, transformer_keys(tensors).rename(), "flux transformer");
  TransformerConfig config;
  const auto matrix = [&](const std::string& name) { return shapes.get(name + ".weight", 2); };
  const auto image = matrix("x_embedder");
  config.in_channels = image[1];
  config.out_channels = matrix("proj_out")[0];
  config.joint_attention_dim = matrix("context_embedder")[1];
  config.pooled_projection_dim = matrix("time_text_embed.text_embedder.linear_1")[1];
  config.guidance_embeds = shapes.has("time_text_embed.guidance_embedder.linear_1.weight");
  config.attention_head_dim = std::max<int64_t>(1, shapes.get("transformer_blocks.0.attn.norm_q.weight", 1)[0]);
  config.num_attention_heads = image[0] / config.attention_head_dim;
  config.num_layers = shapes.count_blocks("transformer_blocks", {"attn.to_q.weight", "norm1.linear.weight"});
  config.num_single_layers = shapes.count_blocks("single_transformer_blocks", {"attn.to_q.weight", "proj_out.weight"});
  return config;
}

json to_json(const TransformerConfig& config) {
  json object;
  TransformerConfig::visit(config, [&](const char* name, const auto& value) { object[name] = value; });
  return object;
}

}  // namespace keyflow::flux
