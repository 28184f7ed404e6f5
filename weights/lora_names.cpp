#include "weights/lora_names.h"

#include <c10/util/StringUtil.h>

#include <algorithm>

namespace keyflow::weights {
namespace {

bool take_end(std::string& text, std::string_view end) {
  if (!text.ends_with(end)) return false;
  text.resize(text.size() - end.size());
  return true;
}

/// Old diffusers files name the attention's processor, and stop before the one layer of `to_out`'s list.
std::string without_processor(std::string name) {
  constexpr std::string_view kProcessor = "_processor_";
  const size_t at = name.find(kProcessor);
  if (at == name.npos) return name;
  name.replace(at, kProcessor.size(), "_");
  return name.ends_with("_to_out") ? name + "_0" : name;
}

}  // namespace

std::string flat_name(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::vector<std::string> denoiser_prefixes() {
  return {"lora_unet_",
          "lora_transformer_",
          "lycoris_",
          "unet.",
          "transformer.",
          "diffusion_model.",
          "model.diffusion_model.",
          "base_model.model.",
          "base_model.model.unet.",
          "base_model.model.transformer.",
          ""};
}

std::vector<std::string> text_prefixes(int64_t number, TextPlace place) {
  const std::string diffusers = number == 1 ? "text_encoder." : c10::str("text_encoder_", number, ".");
  std::vector<std::string> prefixes{c10::str("lora_te", number, "_"), diffusers, "base_model.model." + diffusers};
  if (number == 1) prefixes.emplace_back("lora_te_");
  if (place == TextPlace::only) prefixes.insert(prefixes.end(), {"base_model.model.", ""});
  return prefixes;
}

LoraIndex::LoraIndex(const LoraNames& names, const Plan& plan) {
  for (const auto& prefix : names.prefixes) prefixes_.push_back(flat_name(prefix));
  std::stable_sort(prefixes_.begin(), prefixes_.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const auto& spelling : names.spellings) {
    // A layer named alike in two spellings is the earlier one's.
    std::map<std::string, std::vector<Target>> weights, biases;
    for (const auto& [name, shape] : plan.entries()) {
      const FileName file = spelling(name);
      if (file.transposed || shape.empty()) continue;
      std::string layer = flat_name(file.name);
      const bool bias = take_end(layer, "_bias");
      if (!bias) take_end(layer, "_weight");
      (bias ? biases : weights)[layer].push_back({name, shape, file.part, file.parts, file.span});
    }
    weights_.merge(weights);
    biases_.merge(biases);
  }
}

const std::vector<LoraIndex::Target>* LoraIndex::find(const LoraEntry& entry) const {
  const auto& table = entry.bias ? biases_ : weights_;
  const std::string layer = flat_name(entry.layer);
  for (const auto& prefix : prefixes_) {
    if (!layer.starts_with(prefix)) continue;
    const std::string rest = layer.substr(prefix.size());
    for (const auto& name : {rest, without_processor(rest)}) {
      const auto found = table.find(name);
      if (found != table.end()) return &found->second;
    }
  }
  return nullptr;
}

}  // namespace keyflow::weights
