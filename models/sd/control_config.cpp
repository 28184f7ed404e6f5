#include "models/sd/control_config.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/sd/config_json.h"

namespace keyflow::sd {

using nlohmann::json;

void ControlNetConfig::validate() const {
  encoder.validate();
  require(encoder.middle != MiddleBlock::none, ErrorKind::config, "control net: expected a middle block, found none");
  require(conditioning_channels >= 1 && conditioning_channels <= 4096, ErrorKind::config,
          "control net: conditioning_channels: expected 1 to 4096, found ", conditioning_channels);
  const size_t levels = conditioning_embedding_out_channels.size();
  require(levels >= 1 && levels <= 8, ErrorKind::config,
          "control net: conditioning_embedding_out_channels: expected 1 to 8 values, found ", levels);
  for (const auto channels : conditioning_embedding_out_channels) {
    require(channels >= 1 && channels <= 1 << 16, ErrorKind::config,
            "control net: conditioning_embedding_out_channels: expected 1 to 65536, found ", channels);
  }
}

ControlNetConfig control_net_config_from_json(const json& object, const std::string& where,
                                              const ControlNetConfig& base) {
  ControlNetConfig config = base;
  JsonFields fields(object, where);
  const EncoderFields encoder(fields, base.encoder);
  fields.read("conditioning_channels", config.conditioning_channels);
  fields.read("conditioning_embedding_out_channels", config.conditioning_embedding_out_channels);
  fields.read("global_pool_conditions", config.global_pool_conditions);
  std::string order = base.bgr ? "bgr" : "rgb";
  fields.expect("controlnet_conditioning_channel_order", {"rgb", "bgr"});
  fields.read("controlnet_conditioning_channel_order", order);
  fields.expect("num_attention_heads", json::array({nullptr}));
  fields.finish();
  config.bgr = order == "bgr";
  config.encoder = encoder.settle(where);
  config.validate();
  return config;
}

json to_json(const ControlNetConfig& config) {
  json object = encoder_json(config.encoder);
  object["_class_name"] = "ControlNetModel";
  object["conditioning_channels"] = config.conditioning_channels;
  object["controlnet_conditioning_channel_order"] = config.bgr ? "bgr" : "rgb";
  object["conditioning_embedding_out_channels"] = config.conditioning_embedding_out_channels;
  object["global_pool_conditions"] = config.global_pool_conditions;
  return object;
}

}  // namespace keyflow::sd
