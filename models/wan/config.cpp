#include "models/wan/config.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fields.h"
#include "core/shape.h"
#include "models/wan/keys.h"

namespace keyflow::wan {

using nlohmann::json;

namespace {

struct FieldReader {
  JsonFields& fields;
  std::vector<int64_t> patch;

  void operator()(const std::string& name, int64_t& value) {
    // null is diffusers' word for "no image branch".
    if (name.starts_with("image_")) {
      fields.read_or_null(name, value, 0);
    } else {
      fields.read(name, value);
    }
  }
  void operator()(const std::string& name, double& value) { fields.read(name, value); }
  void operator()(const std::string& name, std::array<int64_t, 3>&) { fields.read(name, patch); }
};

}  // namespace

void TransformerConfig::validate() const {
  visit(*this, [](const char* name, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, int64_t>) {
      const bool optional = std::string_view(name).starts_with("image_");
      require(value >= (optional ? 0 : 1) && value <= 1 << 20, ErrorKind::config, "wan transformer: ", name,
              ": expected ", optional ? 0 : 1, " to ", 1 << 20, ", found ", value);
    }
  });
  for (const auto size : patch_size) {
    require(size >= 1 && size <= 64, ErrorKind::config, "wan transformer: patch_size: expected 1 to 64, found ", size);
  }
  require(num_layers <= 1000, ErrorKind::config, "wan transformer: num_layers: expected at most 1000, found ",
          num_layers);
  require(dim % num_heads == 0 && head_size() % 2 == 0, ErrorKind::config, "wan transformer: dim ", dim,
          " and num_heads ", num_heads, ": expected heads of an even number of channels, found ",
          static_cast<double>(dim) / num_heads);
  require(freq_dim % 2 == 0, ErrorKind::config, "wan transformer: freq_dim: expected an even number, found ", freq_dim);
  require(image_pos_len == 0 || image_dim > 0, ErrorKind::config, "wan transformer: image_pos_len ", image_pos_len,
          ": expected image_dim beside it, found none");
  require(eps > 0 && eps < 1, ErrorKind::config, "wan transformer: eps: expected 0 to 1, found ", eps);
}

TransformerConfig transformer_config_from_json(const json& json_object, const std::string& where,
                                               const TransformerConfig& base) {
  TransformerConfig config = base;
  JsonFields fields(json_object, where);
  std::string class_name;
  fields.read("_class_name", class_name);
  // Networks that share these keys but have modules more.
  require(class_name.find("VACE") == std::string::npos && class_name.find("Animate") == std::string::npos &&
              class_name.find("S2V") == std::string::npos,
          ErrorKind::unsupported, where, ": _class_name ", printable(class_name),
          ": expected WanModel or WanTransformer3DModel");
  FieldReader reader{fields, {config.patch_size.begin(), config.patch_size.end()}};
  TransformerConfig::visit(config, reader);
  int64_t head = 0, added = 0;
  fields.read("num_attention_heads", config.num_heads);
  const bool heads_stated = fields.read("attention_head_dim", head);
  fields.read("in_channels", config.in_dim);
  fields.read_or_null("out_channels", config.out_dim, config.in_dim);
  fields.read("rope_max_seq_len", config.rope_max_len);
  fields.read_or_null("added_kv_proj_dim", added, 0);
  fields.read_or_null("pos_embed_seq_len", config.image_pos_len, 0);
  fields.expect("model_type", {"t2v", "i2v", "flf2v", "ti2v"});
  fields.expect("cross_attn_norm", {true});
  fields.expect("qk_norm", {"rms_norm_across_heads", true});
  fields.expect("window_size", {{-1, -1}});
  for (const char* key : {"_diffusers_version", "_name_or_path", "_use_default_values"}) fields.skip(key);
  fields.finish();
  if (heads_stated) {
    require(head >= 1 && head <= 4096 && config.num_heads >= 1 && config.num_heads <= 4096, ErrorKind::config, where,
            ": attention_head_dim and num_attention_heads: expected 1 to 4096, found ", head, " and ",
            config.num_heads);
    config.dim = config.num_heads * head;
  }
  const auto& patch = reader.patch;
  require(patch.size() == 3, ErrorKind::config, where, ": patch_size: expected 3 values, found ", patch.size());
  std::copy(patch.begin(), patch.end(), config.patch_size.begin());
  require(added == 0 || added == config.dim, ErrorKind::config, where, ": added_kv_proj_dim: expected ", config.dim,
          " (heads times head size), found ", added);
  config.validate();
  return config;
}

TransformerConfig transformer_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  const TransformerKeys keys = transformer_keys(tensors);
  const weights::Rename rename = keys.rename();
  std::map<std::string, const std::vector<int64_t>*> shapes;
  for (const auto& info : tensors) shapes[info.name] = &info.shape;
  const auto find = [&](const std::string& name) {
    const auto found = shapes.find(rename(name).name);
    return found == shapes.end() ? nullptr : found->second;
  };
  const auto shape = [&](const std::string& name, size_t rank) -> const std::vector<int64_t>& {
    const auto* found = find(name);
    require(found && found->size() == rank, ErrorKind::weights, "wan transformer: expected a tensor ",
            rename(name).name, " of ", rank, " dimensions, found ", found ? shape_text(*found) : "none");
    return *found;
  };
  TransformerConfig config;
  const auto& patch = shape("patch_embedding.weight", 5);
  config.dim = patch[0];
  config.in_dim = patch[1];
  config.patch_size = {patch[2], patch[3], patch[4]};
  const bool small = std::all_of(patch.begin() + 2, patch.end(), [](int64_t size) { return size >= 1 && size <= 64; });
  require(small, ErrorKind::weights, "wan transformer: patch_embedding.weight: expected patches of 1 to 64, found ",
          shape_text(patch));
  config.ffn_dim = shape("blocks.0.ffn.0.weight", 2)[0];
  config.freq_dim = shape("time_embedding.0.weight", 2)[1];
  config.text_dim = shape("text_embedding.0.weight", 2)[1];
  config.out_dim = shape("head.head.weight", 2)[0] / (patch[2] * patch[3] * patch[4]);
  config.num_layers = 0;
  while (find("blocks." + std::to_string(config.num_layers) + ".ffn.0.weight")) ++config.num_layers;
  if (const auto* norm = find("img_emb.proj.0.weight"); norm && norm->size() == 1) config.image_dim = (*norm)[0];
  if (const auto* table = find("img_emb.emb_pos"); table && table->size() == 3) config.image_pos_len = (*table)[1];
  config.num_heads = config.dim % 128 == 0 ? config.dim / 128 : 1;
  config.validate();
  return config;
}

json to_json(const TransformerConfig& config) {
  json object;
  TransformerConfig::visit(config, [&](const char* name, const auto& value) { object[name] = value; });
  return object;
}

json to_diffusers_json(const TransformerConfig& config) {
  const auto or_null = [](int64_t value) { return value ? json(value) : json(nullptr); };
  json object = {{"_class_name", "WanTransformer3DModel"},
                 {"patch_size", config.patch_size},
                 {"num_attention_heads", config.num_heads},
                 {"attention_head_dim", config.head_size()},
                 {"in_channels", config.in_dim},
                 {"out_channels", config.out_dim},
                 {"text_dim", config.text_dim},
                 {"freq_dim", config.freq_dim},
                 {"ffn_dim", config.ffn_dim},
                 {"num_layers", config.num_layers},
                 {"cross_attn_norm", true},
                 {"qk_norm", "rms_norm_across_heads"},
                 {"eps", config.eps},
                 {"image_dim", or_null(config.image_dim)},
                 {"added_kv_proj_dim", config.image_dim ? json(config.dim) : json(nullptr)},
                 {"rope_max_seq_len", config.rope_max_len},
                 {"pos_embed_seq_len", or_null(config.image_pos_len)}};
  // diffusers has no such key and warns about it, so it is written only where it says something.
  if (config.text_len != TransformerConfig{}.text_len) object["text_len"] = config.text_len;
  return object;
}

}  // namespace keyflow::wan
