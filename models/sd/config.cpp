#include "models/sd/config.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/sd/config_json.h"

namespace keyflow::sd {

using nlohmann::json;

namespace {

void in_range(const char* name, int64_t value, int64_t least, int64_t most) {
  require(value >= least && value <= most, ErrorKind::config, "unet: ", name, ": expected ", least, " to ", most,
          ", found ", value);
}

void each_in_range(const char* name, const std::vector<int64_t>& values, size_t levels, int64_t least, int64_t most) {
  require(values.size() == levels, ErrorKind::config, "unet: ", name, ": expected ", levels,
          " values, one a level, found ", values.size());
  for (const auto value : values) in_range(name, value, least, most);
}

}  // namespace

void UNetConfig::validate() const {
  constexpr int64_t kWidest = 1 << 16;
  in_range("in_channels", in_channels, 1, 4096);
  in_range("out_channels", out_channels, 1, 4096);
  in_range("sample_size", sample_size, 1, kWidest);
  require(levels() >= 1 && levels() <= 8, ErrorKind::config, "unet: block_out_channels: expected 1 to 8 levels, found ",
          levels());
  each_in_range("block_out_channels", block_out_channels, levels(), 1, kWidest);
  each_in_range("transformer_layers_per_block", transformer_layers, levels(), 0, 1000);
  each_in_range("attention_head_dim", heads, levels(), 1, kWidest);
  in_range("layers_per_block", layers_per_block, 1, 100);
  in_range("transformer_layers_per_block", mid_transformer_layers, 1, 1000);
  const bool agree = middle != MiddleBlock::attention || transformer_layers.back() == 0 ||
                     transformer_layers.back() == mid_transformer_layers;
  require(agree, ErrorKind::config,
          "unet: transformer_layers_per_block: expected as many in the middle as at the last level, found ",
          mid_transformer_layers, " and ", transformer_layers.back());
  in_range("cross_attention_dim", cross_attention_dim, 1, kWidest);
  in_range("norm_num_groups", norm_num_groups, 1, kWidest);
  in_range("addition_time_embed_dim", addition_time_embed_dim, 0, kWidest);
  in_range("time_cond_proj_dim", time_cond_proj_dim, 0, kWidest);
  in_range("freq_shift", freq_shift, 0, 1);
  require(norm_eps > 0 && norm_eps < 1, ErrorKind::config, "unet: norm_eps: expected 0 to 1, found ", norm_eps);
  for (size_t i = 0; i < levels(); ++i) {
    const int64_t C = block_out_channels[i];
    require(C % norm_num_groups == 0, ErrorKind::config, "unet: block_out_channels: ", C,
            " channels cannot be cut into norm_num_groups ", norm_num_groups);
    const bool attending = attends(i) || (i + 1 == levels() && middle == MiddleBlock::attention);
    require(!attending || C % heads[i] == 0, ErrorKind::config, "unet: block_out_channels: ", C,
            " channels cannot be cut into ", heads[i], " heads (attention_head_dim)");
  }
  const auto even = [](const char* name, int64_t value) {
    require(value % 2 == 0 && value != 2, ErrorKind::config, "unet: ", name,
            ": expected an even number of waves above 2, found ", value);
  };
  even("block_out_channels", block_out_channels.front());
  even("addition_time_embed_dim", addition_time_embed_dim);
  even("time_cond_proj_dim", time_cond_proj_dim);
  const bool added = addition_time_embed_dim > 0;
  in_range("projection_class_embeddings_input_dim", projection_class_embeddings_input_dim, added ? 1 : 0,
           added ? kWidest : 0);
}

UNetConfig unet_config_from_json(const json& object, const std::string& where, const UNetConfig& base) {
  JsonFields fields(object, where);
  const EncoderFields encoder(fields, base);
  int64_t out_channels = base.out_channels, sample_size = base.sample_size, guidance = base.time_cond_proj_dim;
  std::vector<std::string> up_types;
  fields.read("out_channels", out_channels);
  fields.read_or_null("sample_size", sample_size, base.sample_size);
  fields.read_or_null("time_cond_proj_dim", guidance, base.time_cond_proj_dim);
  const bool up_stated = fields.read("up_block_types", up_types);
  fields.expect("attention_type", {"default"});
  fields.expect("center_input_sample", {false});
  fields.expect("class_embeddings_concat", {false});
  fields.expect("conv_in_kernel", {3});
  fields.expect("conv_out_kernel", {3});
  fields.expect("dual_cross_attention", {false});
  fields.expect("mid_block_only_cross_attention", {nullptr, false});
  fields.expect("resnet_out_scale_factor", {1});
  fields.expect("resnet_skip_time_act", {false});
  fields.expect("time_embedding_type", {"positional"});
  for (const char* key : {"cross_attention_norm", "num_attention_heads", "reverse_transformer_layers_per_block",
                          "time_embedding_act_fn", "time_embedding_dim", "timestep_post_act"}) {
    fields.expect(key, json::array({nullptr}));
  }
  fields.skip("dropout");  // training
  fields.finish();
  UNetConfig config = encoder.settle(where);
  config.out_channels = out_channels;
  config.sample_size = sample_size;
  config.time_cond_proj_dim = guidance;
  config.validate();
  require(!up_stated || up_types == up_block_types(config), ErrorKind::unsupported, where,
          ": up_block_types: expected the mirror of down_block_types, ", json(up_block_types(config)).dump(),
          ", found ", printable(json(up_types).dump(-1, ' ', true, json::error_handler_t::replace)));
  return config;
}

json to_json(const UNetConfig& config) {
  json object = encoder_json(config);
  object["_class_name"] = "UNet2DConditionModel";
  object["out_channels"] = config.out_channels;
  object["sample_size"] = config.sample_size;
  object["up_block_types"] = up_block_types(config);
  object["time_cond_proj_dim"] = config.time_cond_proj_dim ? json(config.time_cond_proj_dim) : json(nullptr);
  return object;
}

}  // namespace keyflow::sd
