#include "models/sd/load.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/sd/keys.h"
#include "models/sd/prediction_type.h"
#include "models/sd/variant.h"
#include "weights/plan.h"

namespace keyflow::sd {
namespace {

template <class Network, class Config>
Network load(const std::shared_ptr<const weights::TensorFile>& file, const Keys& keys, const Config& config,
             const std::string& what, const Compute& compute, const weights::Overlay& lora = {}) {
  const auto plan = weights::record([&](const weights::Scope& w) { Network(w, config); });
  plan.require_match(*file, what, keys.rename(), keys.ignore());
  weights::FileSource tensors(file, keys.rename(), compute.device);
  weights::OverlaySource source(tensors, lora);
  return Network(weights::Scope(source, compute), config);
}

std::string sizes_of(const UNetConfig& config) {
  return c10::str(config.levels(), " levels from width ", config.block_out_channels.front());
}

}  // namespace

UNetConfig unet_config(const weights::TensorFile& file, const std::filesystem::path& config_json) {
  UNetConfig shown = unet_config_from_tensors(file.tensors());
  if (!config_json.empty()) {
    return unet_config_from_json(read_json(config_json), printable(config_json.string(), 400), shown);
  }
  const bool sd2 = shown.addition_time_embed_dim == 0 && shown.use_linear_projection && shown.in_channels == 4;
  if (sd2 && prediction_of(file, shown).type == PredictionType::v_prediction) shown.sample_size = 96;
  return shown;
}

ControlNetConfig control_net_config(const weights::TensorFile& file, const std::filesystem::path& config_json) {
  const ControlNetConfig shown = control_net_config_from_tensors(file.tensors());
  if (config_json.empty()) return shown;
  return control_net_config_from_json(read_json(config_json), printable(config_json.string(), 400), shown);
}

UNet load_unet(const std::shared_ptr<const weights::TensorFile>& file, const UNetConfig& config, const Compute& compute,
               const weights::Overlay& lora) {
  return load<UNet>(file, unet_keys(file->tensors()), config, "the U-Net of " + sizes_of(config), compute, lora);
}

ControlNet load_control_net(const std::shared_ptr<const weights::TensorFile>& file, const ControlNetConfig& config,
                            const Compute& compute) {
  return load<ControlNet>(file, control_net_keys(file->tensors()), config,
                          "the ControlNet of " + sizes_of(config.encoder), compute);
}

}  // namespace keyflow::sd
