#include "tests/models/lora_networks.h"

#include <ATen/ops/cat.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/clip/lora_names.h"
#include "models/clip/text_load.h"
#include "models/flux/lora_names.h"
#include "models/flux/transformer_load.h"
#include "models/sd/load.h"
#include "models/sd/lora_names.h"
#include "models/sd3/lora_names.h"
#include "models/sd3/transformer_load.h"
#include "models/t5/encoder.h"
#include "models/t5/lora_names.h"
#include "models/wan/lora_names.h"
#include "models/wan/transformer_load.h"

namespace keyflow::tests {
namespace {

namespace fs = std::filesystem;
using weights::Overlay;
using weights::Scope;
using Case = std::shared_ptr<weights::TensorFile>;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference";

at::Tensor of(const Case& inputs, const char* name) { return inputs->find(name) ? inputs->read(name) : at::Tensor(); }

LoraNetwork sd_network(const std::string& kind) {
  const auto file = weights::open_tensors(kReference / "sd" / kind);
  const auto config = sd::unet_config(*file, kReference / "sd" / kind / "config.json");
  const Case given = weights::open_tensors(kReference / "sd" / (kind + "_case.safetensors"));
  return {
      sd::lora_names(config), weights::record([&](const Scope& w) { sd::UNet(w, config); }), [=](const Overlay& lora) {
        return sd::load_unet(file, config, {}, lora)(of(given, "latents"), of(given, "timestep"), of(given, "context"),
                                                     {of(given, "pooled"), of(given, "time_ids"), {}});
      }};
}

LoraNetwork sd3_network(bool other) {
  const fs::path folder = kReference / "sd3_transformer/sd35_medium";
  const auto file = weights::open_tensors(other ? fs::path(folder.string() + "_sai.safetensors") : folder);
  const auto config = sd3::transformer_config(*file, folder / "config.json");
  const Case given = weights::open_tensors(folder.string() + "_case.safetensors");
  return {sd3::lora_names(), weights::record([&](const Scope& w) { sd3::Transformer(w, config); }),
          [=](const Overlay& lora) {
            const auto model = sd3::load_transformer(file, config, {}, lora);
            return model(of(given, "latents"), of(given, "timestep"),
                         model.prepare(of(given, "text"), of(given, "pooled")));
          }};
}

LoraNetwork flux_network(bool other) {
  const fs::path folder = kReference / "flux_transformer/dev";
  const auto file = weights::open_tensors(other ? fs::path(folder.string() + "_bfl.safetensors") : folder);
  const auto config = flux::transformer_config(*file, folder / "config.json");
  const Case given = weights::open_tensors(folder.string() + "_case.safetensors");
  return {flux::lora_names(), weights::record([&](const Scope& w) { flux::Transformer(w, config); }),
          [=](const Overlay& lora) {
            const auto model = flux::load_transformer(file, config, {}, lora);
            return model(of(given, "latents"), of(given, "timestep"),
                         model.prepare(of(given, "text"), of(given, "pooled"), of(given, "guidance")));
          }};
}

LoraNetwork wan_network(bool other) {
  const fs::path folder = kReference / "wan_transformer/i2v";
  const auto file = weights::open_tensors(other ? fs::path(folder.string() + "_official.safetensors") : folder);
  const auto config = wan::transformer_config(*file, folder / "config.json");
  const Case given = weights::open_tensors(folder.string() + "_case.safetensors");
  return {wan::lora_names(), weights::record([&](const Scope& w) { wan::Transformer(w, config); }),
          [=](const Overlay& lora) {
            const auto model = wan::load_transformer(file, config, {}, lora);
            return model(of(given, "latents"), of(given, "timestep"),
                         model.prepare(of(given, "text"), of(given, "image")));
          }};
}

LoraNetwork clip_network() {
  const fs::path folder = kReference / "clip_text/projected";
  const auto file = weights::open_tensors(folder);
  const auto keys = clip::text_towers(file->tensors()).at(0);
  const auto config = clip::text_config(*file, keys, folder / "config.json");
  const Case given = weights::open_tensors(folder.string() + "_case.safetensors");
  return {clip::lora_names(2, weights::TextPlace::among_others),
          weights::record([&](const Scope& w) { clip::TextModel(w, config); }), [=](const Overlay& lora) {
            const auto model = clip::load_text(file, keys, config, {}, lora);
            const at::Tensor last = model.hidden_states(of(given, "ids")).back();
            return at::cat({model.final_norm(last).flatten(1), model.project(model.pool(last, of(given, "ids")))}, 1);
          }};
}

LoraNetwork t5_network() {
  const fs::path folder = kReference / "t5/t5";
  const auto file = weights::open_tensors(folder);
  const auto config = t5::encoder_config_from_json(read_json(folder / "config.json"), "config.json");
  const Case given = weights::open_tensors(kReference / "t5/tensors.safetensors");
  return {t5::lora_names(2, weights::TextPlace::among_others),
          weights::record([&](const Scope& w) { t5::Encoder(w, config); }),
          [=](const Overlay& lora) { return t5::load_encoder(file, config, {}, lora)(of(given, "t5.ids")); }};
}

}  // namespace

LoraNetwork lora_network(const std::string& name) {
  const bool other = name.ends_with("_other");
  if (name.starts_with("sd3")) return sd3_network(other);
  if (name.starts_with("flux")) return flux_network(other);
  if (name.starts_with("wan")) return wan_network(other);
  if (name == "clip") return clip_network();
  if (name == "t5") return t5_network();
  return sd_network(name);
}

}  // namespace keyflow::tests
