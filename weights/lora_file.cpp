#include "weights/lora_file.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "core/error.h"
#include "weights/lora_factors.h"

namespace keyflow::weights {

std::string_view name_of(LoraKind kind) {
  constexpr std::array<std::string_view, 4> kNames{"LoRA", "LoHa", "LoKr", "full difference"};
  return kNames.at(static_cast<size_t>(kind));
}

void LoraFile::add_layer(const std::string& layer, const std::map<LoraRole, std::string>& tensors,
                         std::vector<std::string>& problems) {
  try {
    const LoraFactors factors(*file_, tensors);
    const auto kind = factors.kind();
    double scale = 1;
    if (kind) {
      LoraEntry entry;
      entry.layer = layer;
      entry.kind = *kind;
      entry.rank = factors.rank(*kind);
      entry.magnitude = factors.has(LoraRole::magnitude) || factors.has(LoraRole::row_magnitude);
      const auto alpha = factors.alpha();
      scale = entry.scale = *kind == LoraKind::full ? 1 : scales_(layer, entry.rank, alpha);
      entry.tensors = tensors;
      entries_.push_back(entry);
    }
    bool bias = false;
    for (const LoraRole role : {LoraRole::bias_difference, LoraRole::up_bias}) {
      if (!factors.has(role)) continue;
      factors.check_tensor(role);
      entries_.push_back({layer,
                          LoraKind::full,
                          true,
                          0,
                          false,
                          role == LoraRole::up_bias ? scale : 1,
                          {{LoraRole::difference, tensors.at(role)}}});
      bias = true;
    }
    if (kind || bias) return;
    for (const auto& [role, name] : tensors) others_.push_back(name);
  } catch (const std::invalid_argument& problem) {
    problems.push_back(printable(layer) + ": " + problem.what());
  }
}

LoraFile::LoraFile(std::shared_ptr<const TensorFile> file) : file_(std::move(file)), scales_(*file_) {
  std::map<std::string, std::map<LoraRole, std::string>> layers;
  std::vector<std::string> problems;
  for (const auto& info : file_->tensors()) {
    const auto name = lora_key(info.name);
    if (!name) {
      others_.push_back(info.name);
    } else if (!layers[name->layer].emplace(name->role, info.name).second) {
      problems.push_back(printable(info.name) + ": a second tensor of the same role");
    }
  }
  for (const auto& [layer, tensors] : layers) add_layer(layer, tensors, problems);
  const std::string where = printable(path().string(), 400);
  if (!problems.empty()) {
    throw Error(ErrorKind::weights, c10::str(where, ": ", problems.size(), " layers of the LoRA are not whole"),
                problems);
  }
  require(!entries_.empty(), ErrorKind::weights, where, ": expected a LoRA, found ", file_->tensors().size(),
          " tensors and none of one", others_.empty() ? "" : ", the first " + printable(others_.front()));
}

Adapter LoraFile::read(const LoraEntry& entry) const {
  Adapter adapter = LoraFactors(*file_, entry.tensors).read(entry.kind);
  adapter.scale = entry.scale;
  return adapter;
}

bool is_lora(const std::vector<TensorInfo>& tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const auto& info) {
    const auto name = lora_key(info.name);
    return name && name->role != LoraRole::alpha && name->role != LoraRole::difference &&
           name->role != LoraRole::bias_difference;
  });
}

}  // namespace keyflow::weights
