#include "models/clip/vision_load.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/clip/keys.h"
#include "weights/plan.h"

namespace keyflow::clip {

VisionConfig vision_config(const weights::TensorFile& file, const std::filesystem::path& config_json) {
  const VisionConfig shown = vision_config_from_tensors(file.tensors());
  if (config_json.empty()) return shown;
  return vision_config_from_json(read_json(config_json), printable(config_json.string(), 400), shown);
}

VisionTower load_vision(const std::shared_ptr<const weights::TensorFile>& file, const VisionConfig& config,
                        const Compute& compute) {
  const VisionKeys keys = vision_keys(file->tensors());
  const auto plan = weights::record([&](const weights::Scope& w) { VisionTower(w, config); });
  plan.require_match(*file,
                     "the CLIP picture encoder of " + std::to_string(config.num_hidden_layers) + " layers of width " +
                         std::to_string(config.hidden_size),
                     keys.rename(), keys.ignore(config.num_hidden_layers));
  weights::FileSource source(file, keys.rename(), compute.device);
  return VisionTower(weights::Scope(source, compute), config);
}

}  // namespace keyflow::clip
