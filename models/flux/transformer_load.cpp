#include "models/flux/transformer_load.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/flux/keys.h"
#include "weights/plan.h"

namespace keyflow::flux {

TransformerConfig transformer_config(const weights::TensorFile& file, const std::filesystem::path& config_json) {
  const TransformerConfig shown = transformer_config_from_tensors(file.tensors());
  if (config_json.empty()) {
    shown.validate();
    return shown;
  }
  return transformer_config_from_json(read_json(config_json), printable(config_json.string(), 400), shown);
}

Transformer load_transformer(const std::shared_ptr<const weights::TensorFile>& file, const TransformerConfig& config,
                             const Compute& compute, const weights::Overlay& lora) {
  const TransformerKeys keys = transformer_keys(file->tensors());
  const auto plan = weights::record([&](const weights::Scope& w) { Transformer(w, config); });
  plan.require_match(*file,
                     c10::str("the FLUX transformer of ", config.num_layers, " double and ", config.num_single_layers,
                              " single blocks of width ", config.dim()),
                     keys.rename(), keys.ignore());
  weights::FileSource tensors(file, keys.rename(), compute.device);
  weights::OverlaySource source(tensors, lora);
  return Transformer(weights::Scope(source, compute), config);
}

}  // namespace keyflow::flux
