#include "models/sd/config_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace keyflow::sd {

using nlohmann::json;

namespace {

constexpr const char* kAttentionDown = "CrossAttnDownBlock2D";
constexpr const char* kPlainDown = "DownBlock2D";
constexpr const char* kAttentionMiddle = "UNetMidBlock2DCrossAttn";
constexpr const char* kPlainMiddle = "UNetMidBlock2D";

/// null is how diffusers writes a value that was left at its default.
template <class Value>
void read_stated(JsonFields& fields, const std::string& key, Value& value) {
  if (!fields.is_null(key)) fields.read(key, value);
}

/// Fields that have one value in every U-Net of this family; another stands for modules that are not here.
void refuse_other_modules(JsonFields& fields, size_t levels) {
  fields.expect("act_fn", {"silu"});
  fields.expect("downsample_padding", {1});
  fields.expect("mid_block_scale_factor", {1});
  fields.expect("only_cross_attention", json::array({false, std::vector<bool>(levels, false)}));
  fields.expect("resnet_time_scale_shift", {"default"});
  for (const char* key : {"encoder_hid_dim", "encoder_hid_dim_type", "class_embed_type", "num_class_embeds"}) {
    fields.expect(key, json::array({nullptr}));
  }
}

}  // namespace

EncoderFields::EncoderFields(JsonFields& fields, const UNetConfig& base)
    : config_(base), level_types_(down_block_types(base)), added_conditions_(base.addition_time_embed_dim > 0) {
  fields.read("in_channels", config_.in_channels);
  fields.read("block_out_channels", config_.block_out_channels);
  const size_t levels = config_.levels();
  if (levels == base.levels()) {
    // A level without attention states a depth all the same, which nothing reads.
    for (const auto layers : base.transformer_layers) depth_.push_back(std::max<int64_t>(1, layers));
    if (!base.attends(levels - 1)) depth_.back() = base.mid_transformer_layers;
  } else {
    depth_.assign(levels, 1), config_.heads.assign(levels, 8);
  }
  fields.read("down_block_types", level_types_);
  middle_ = base.middle == MiddleBlock::attention ? kAttentionMiddle
            : base.middle == MiddleBlock::plain   ? kPlainMiddle
                                                  : "";
  fields.expect("mid_block_type", {nullptr, kAttentionMiddle, kPlainMiddle});
  if (fields.is_null("mid_block_type")) {
    middle_.clear();
  } else {
    fields.read("mid_block_type", middle_);
  }
  fields.read_each("transformer_layers_per_block", depth_, levels);
  fields.read_each("attention_head_dim", config_.heads, levels);
  fields.read("layers_per_block", config_.layers_per_block);
  fields.read("cross_attention_dim", config_.cross_attention_dim);
  fields.read("use_linear_projection", config_.use_linear_projection);
  fields.read("norm_num_groups", config_.norm_num_groups);
  fields.read("norm_eps", config_.norm_eps);
  fields.read("flip_sin_to_cos", config_.flip_sin_to_cos);
  fields.read("freq_shift", config_.freq_shift);
  read_stated(fields, "upcast_attention", config_.upcast_attention);
  std::string addition = added_conditions_ ? "text_time" : "";
  fields.expect("addition_embed_type", {nullptr, "text_time"});
  if (fields.is_null("addition_embed_type")) {
    addition.clear();
  } else {
    fields.read("addition_embed_type", addition);
  }
  added_conditions_ = !addition.empty();
  read_stated(fields, "addition_time_embed_dim", config_.addition_time_embed_dim);
  read_stated(fields, "projection_class_embeddings_input_dim", config_.projection_class_embeddings_input_dim);
  refuse_other_modules(fields, levels);
  // What diffusers notes about itself, and the heads of an embedding that addition_embed_type "text" would have.
  for (const char* key :
       {"_class_name", "_diffusers_version", "_name_or_path", "_use_default_values", "addition_embed_type_num_heads"}) {
    fields.skip(key);
  }
}

UNetConfig EncoderFields::settle(const std::string& where) const {
  UNetConfig config = config_;
  const auto one_a_level = [&](const char* name, size_t found) {
    require(found == config.levels(), ErrorKind::config, where, ": ", name, ": expected ", config.levels(),
            " values as block_out_channels has, found ", found);
  };
  require(config.levels() > 0, ErrorKind::config, where, ": block_out_channels: expected a level, found none");
  one_a_level("down_block_types", level_types_.size());
  one_a_level("transformer_layers_per_block", depth_.size());
  config.transformer_layers.clear();
  for (size_t i = 0; i < level_types_.size(); ++i) {
    const bool plain = level_types_[i] == kPlainDown;
    require(plain || level_types_[i] == kAttentionDown, ErrorKind::unsupported, where, ": down_block_types: expected ",
            kAttentionDown, " or ", kPlainDown, ", found ", printable(level_types_[i]));
    config.transformer_layers.push_back(plain ? 0 : depth_[i]);
  }
  config.middle = middle_.empty()           ? MiddleBlock::none
                  : middle_ == kPlainMiddle ? MiddleBlock::plain
                                            : MiddleBlock::attention;
  // Small ControlNets say 0 for levels without attention.
  const bool read = config.middle == MiddleBlock::attention;
  config.mid_transformer_layers = read ? depth_.back() : std::max<int64_t>(1, depth_.back());
  if (!added_conditions_) config.addition_time_embed_dim = config.projection_class_embeddings_input_dim = 0;
  require(!added_conditions_ || config.addition_time_embed_dim > 0, ErrorKind::config, where,
          ": addition_embed_type text_time: expected addition_time_embed_dim beside it, found none");
  config.validate();
  return config;
}

std::vector<std::string> down_block_types(const UNetConfig& config) {
  std::vector<std::string> types;
  for (const auto layers : config.transformer_layers) types.push_back(layers > 0 ? kAttentionDown : kPlainDown);
  return types;
}

std::vector<std::string> up_block_types(const UNetConfig& config) {
  std::vector<std::string> types;
  for (const auto layers : config.transformer_layers) types.push_back(layers > 0 ? "CrossAttnUpBlock2D" : "UpBlock2D");
  std::reverse(types.begin(), types.end());
  return types;
}

json encoder_json(const UNetConfig& config) {
  const auto or_null = [](int64_t value) { return value ? json(value) : json(nullptr); };
  std::vector<int64_t> depth = config.transformer_layers;
  for (auto& layers : depth) layers = std::max<int64_t>(1, layers);
  if (!config.attends(config.levels() - 1)) depth.back() = config.mid_transformer_layers;
  const json middle = config.middle == MiddleBlock::none
                          ? json(nullptr)
                          : json(config.middle == MiddleBlock::plain ? kPlainMiddle : kAttentionMiddle);
  return {{"in_channels", config.in_channels},
          {"block_out_channels", config.block_out_channels},
          {"layers_per_block", config.layers_per_block},
          {"down_block_types", down_block_types(config)},
          {"mid_block_type", middle},
          {"transformer_layers_per_block", depth},
          {"attention_head_dim", config.heads},
          {"cross_attention_dim", config.cross_attention_dim},
          {"use_linear_projection", config.use_linear_projection},
          {"upcast_attention", config.upcast_attention},
          {"addition_embed_type", config.addition_time_embed_dim ? json("text_time") : json(nullptr)},
          {"addition_time_embed_dim", or_null(config.addition_time_embed_dim)},
          {"projection_class_embeddings_input_dim", or_null(config.projection_class_embeddings_input_dim)},
          {"norm_num_groups", config.norm_num_groups},
          {"norm_eps", config.norm_eps},
          {"flip_sin_to_cos", config.flip_sin_to_cos},
          {"freq_shift", config.freq_shift}};
}

}  // namespace keyflow::sd
