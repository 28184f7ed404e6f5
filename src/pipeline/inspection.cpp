#include "pipeline/inspection.h"

#include <ATen/ops/isfinite.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/lora_family.h"
#include "pipeline/frame_size.h"
#include "pipeline/model.h"
#include "pipeline/model_parts.h"
#include "weights/lora_file.h"

namespace keyflow::pipeline {

using models::Part;
namespace {

/// Sorts the network's tensors and the file's into those that both have, and the rest.
void compare(InspectedFile& part, const models::Description& network) {
  std::set<std::string> wanted;
  for (auto& info : network.plan.as_file(network.rename)) {
    wanted.insert(info.name);
    if (!part.file->find(info.name)) part.missing.push_back(std::move(info));
  }
  for (const auto& info : part.file->tensors()) {
    if (wanted.count(info.name) == 0 && !(network.ignore && network.ignore(info.name))) part.unexpected.push_back(info);
  }
  part.mismatched = network.plan.compare(part.file->tensors(), network.rename, network.ignore).shape;
}

bool are_latents(const std::vector<weights::TensorInfo>& tensors) {
  return !tensors.empty() && std::all_of(tensors.begin(), tensors.end(),
                                         [](const auto& info) { return info.name.starts_with("latents."); });
}

/// The tensors that a network asks for, of a file that holds several.
std::vector<weights::TensorInfo> own_tensors(const weights::TensorFile& file, const models::Description& network) {
  std::vector<weights::TensorInfo> own;
  for (const auto& wanted : network.plan.as_file(network.rename)) {
    if (const auto* info = file.find(wanted.name)) own.push_back(*info);
  }
  return own;
}

/// "LoRA of rank 4 on 128 layers, seemingly for Stable Diffusion 1.x"
std::string describe_lora(const std::shared_ptr<const weights::TensorFile>& tensors) {
  const weights::LoraFile file(tensors);
  const std::string family = models::lora_family(file);
  return c10::str(models::lora_kinds(file), " of rank ", models::lora_ranks(file), " on ", file.entries().size(),
                  " layers", family.empty() ? "" : ", seemingly for " + family);
}

InspectedFile inspect_part(const PartFile& found) {
  InspectedFile part;
  part.file = found.file;
  part.tensors = found.file->tensors();
  part.type = found.type;
  if (part.type != nullptr) {
    const models::Description network = part.type->describe(*part.file, found.index, found.config);
    compare(part, network);
    if (models::networks_in(part.tensors).size() > 1) part.tensors = own_tensors(*part.file, network);
    part.family = part.type->family;
    part.variant = network.variant;
  } else if (are_latents(part.file->tensors())) {
    part.family = "latents";
    part.variant = c10::str(part.file->tensors().size(), " segments");
  } else if (weights::is_lora(part.file->tensors())) {
    part.family = "lora";
    part.variant = describe_lora(part.file);
  }
  return part;
}

/// What a render at the model's own size takes.
MemoryEstimate estimate(Model& model, RenderSettings settings) {
  const Habits habits = model.apply_presets(settings);
  const ModelFacts& facts = model.facts();
  if (settings.width <= 0) {
    constexpr FrameSize kUsualAspect{832, 480};
    const FrameSize size = official_frame_size(kUsualAspect, habits.area, facts.stride, facts.multiple / facts.stride);
    settings.width = size.width;
    settings.height = size.height;
  }
  return model.estimate_memory(settings, Compute{}, std::min(settings.frames, habits.frames), 0);
}

Inspection inspect_model(const std::filesystem::path& path) {
  RenderSettings settings;
  settings.model = path.string();
  const ModelParts model = find_parts(settings, Need::render);
  Inspection result;
  result.layout = model.layout;
  bool fits = true;
  for (const auto& [place, found] : model.parts) {
    result.parts.push_back(inspect_part(found));
    const InspectedFile& part = result.parts.back();
    fits = fits && part.fits();
    if (place == Part::denoiser || result.family.empty()) {
      result.family = part.family;
      result.variant = part.variant;
    }
  }
  // A folder with one network is that network's, not a model that lacks the others.
  if (model.parts.size() == 1 && model.tokenizers.empty()) return result;
  const std::vector<AbsentPart> absent = absent_parts(model, Need::render);
  // Several networks in a file are no promise of all of them: published ones leave text encoders to other files.
  const bool is_folder = !model.folder.empty();
  for (const auto& part : absent) {
    if (is_folder) result.absent.push_back(part.name);
  }
  if (fits && absent.empty()) result.memory = estimate(*open_model(settings, Need::render), settings);
  return result;
}

}  // namespace

uint64_t InspectedFile::parameters() const {
  uint64_t sum = 0;
  for (const auto& info : tensors) sum += static_cast<uint64_t>(info.numel());
  return sum;
}

uint64_t InspectedFile::bytes() const {
  uint64_t sum = 0;
  for (const auto& info : tensors) sum += info.bytes();
  return sum;
}

Inspection inspect(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return inspect_model(path);
  const std::vector<PartFile> networks = open_part(path);
  if (networks.size() > 1) return inspect_model(path);
  Inspection result;
  result.layout = "file";
  result.parts.push_back(inspect_part(networks.front()));
  result.family = result.parts[0].family;
  result.variant = result.parts[0].variant;
  return result;
}

std::vector<std::string> tensors_not_finite(const weights::TensorFile& file) {
  std::vector<std::string> found;
  for (const auto& info : file.tensors()) {
    if (!c10::isFloatingType(info.dtype)) continue;
    const at::Tensor finite = at::isfinite(file.read(info.name).to(at::kFloat));
    const int64_t bad = info.numel() - finite.sum().item<int64_t>();
    if (bad > 0)
      found.push_back(c10::str(printable(info.name), ": ", bad, " of ", info.numel(), " values are NaN or infinite"));
  }
  return found;
}

}  // namespace keyflow::pipeline
