#include "models/clip/text_load.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "weights/plan.h"

namespace keyflow::clip {

TextConfig text_config(const weights::TensorFile& file, const TextKeys& keys,
                       const std::filesystem::path& config_json) {
  const TextConfig shown = text_config_from_tensors(file.tensors(), keys);
  if (config_json.empty()) return shown;
  return text_config_from_json(read_json(config_json), printable(config_json.string(), 400), shown);
}

TextModel load_text(const std::shared_ptr<const weights::TensorFile>& file, const TextKeys& keys,
                    const TextConfig& config, const Compute& compute, const weights::Overlay& lora) {
  const auto plan = weights::record([&](const weights::Scope& w) { TextModel(w, config); });
  plan.require_match(
      *file, c10::str("the CLIP text encoder of ", config.num_hidden_layers, " layers of width ", config.hidden_size),
      keys.rename(), keys.ignore(config.num_hidden_layers));
  weights::FileSource tensors(file, keys.rename(), compute.device);
  weights::OverlaySource source(tensors, lora);
  return {weights::Scope(source, compute), config};
}

}  // namespace keyflow::clip
