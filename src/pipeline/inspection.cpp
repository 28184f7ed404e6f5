#include "pipeline/inspection.h"

#include <ATen/ops/isfinite.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/clip/keys.h"
#include "models/clip/vision_load.h"
#include "models/t5/encoder.h"
#include "models/t5/keys.h"
#include "models/wan/keys.h"
#include "models/wan/transformer.h"
#include "models/wan/transformer_load.h"
#include "models/wan/vae.h"
#include "pipeline/frame_size.h"
#include "pipeline/memory_estimate.h"
#include "pipeline/model_files.h"
#include "pipeline/model_parts.h"
#include "pipeline/variant.h"
#include "weights/plan.h"

namespace keyflow::pipeline {
namespace {

/// Sorts the network's tensors and the file's into those that both have, and the rest.
template <class Make>
void compare(InspectedFile& part, const weights::Rename& rename, const weights::Ignore& ignore, Make&& make) {
  const weights::Plan plan = weights::record(make);
  std::set<std::string> wanted;
  for (auto& info : plan.as_file(rename)) {
    wanted.insert(info.name);
    if (!part.file->find(info.name)) part.missing.push_back(std::move(info));
  }
  for (const auto& info : part.file->tensors()) {
    if (wanted.count(info.name) == 0 && !(ignore && ignore(info.name))) part.unexpected.push_back(info);
  }
  part.mismatched = plan.compare(part.file->tensors(), rename, ignore).shape;
}

void inspect_transformer(InspectedFile& part, const PartFile& found) {
  const wan::TransformerConfig config = wan::transformer_config(*part.file, found.config);
  const wan::TransformerKeys keys = wan::transformer_keys(part.file->tensors());
  compare(part, keys.rename(), keys.ignore(), [&](const weights::Scope& w) { wan::Transformer(w, config); });
  part.family = "wan";
  // How many tokens a picture has stands in the picture encoder; a table of positions is for two pictures.
  constexpr int64_t kPublishedTokens = 257;
  const int64_t tokens = config.image_pos_len > 0 ? config.image_pos_len / 2 : kPublishedTokens;
  part.variant = variant_of(config, config.image_dim > 0 ? tokens : 0).name;
}

void inspect_vae(InspectedFile& part, const PartFile& found) {
  const wan::VaeConfig config = found.config.empty() ? wan::vae_config_from_tensors(part.file->tensors())
                                                     : wan::vae_config_from_json(found.config);
  compare(part, wan::vae_rename(*part.file, config), {}, [&](const weights::Scope& w) { wan::Vae(w, config); });
  part.family = "wan";
  part.variant =
      config.base_dim == wan::VaeConfig{}.base_dim ? "Wan2.1 VAE" : c10::str("Wan VAE of width ", config.base_dim);
}

void inspect_text_encoder(InspectedFile& part, const PartFile& found) {
  const t5::EncoderConfig config =
      found.config.empty()
          ? t5::encoder_config_from_tensors(part.file->tensors())
          : t5::encoder_config_from_json(read_json(found.config), printable(found.config.string(), 400));
  const t5::EncoderKeys keys = t5::encoder_keys(part.file->tensors());
  compare(part, keys.rename(), keys.ignore(), [&](const weights::Scope& w) { t5::Encoder(w, config); });
  part.family = "t5";
  const t5::EncoderConfig published;
  const bool is_xxl = config.d_model == published.d_model && config.num_layers == published.num_layers;
  part.variant =
      c10::str(config.bias_in_every_layer ? "umT5" : "T5", is_xxl ? "-XXL" : c10::str(" of width ", config.d_model));
}

void inspect_image_encoder(InspectedFile& part, const PartFile& found) {
  const clip::VisionConfig config = clip::vision_config(*part.file, found.config);
  const clip::VisionKeys keys = clip::vision_keys(part.file->tensors());
  compare(part, keys.rename(), keys.ignore(config.num_hidden_layers),
          [&](const weights::Scope& w) { clip::VisionTower(w, config); });
  part.family = "clip";
  const clip::VisionConfig published;
  const bool is_huge = config.hidden_size == published.hidden_size && config.patch_size == published.patch_size;
  part.variant = is_huge ? "OpenCLIP ViT-H/14" : c10::str("CLIP ViT of width ", config.hidden_size);
}

bool are_latents(const std::vector<weights::TensorInfo>& tensors) {
  return !tensors.empty() && std::all_of(tensors.begin(), tensors.end(),
                                         [](const auto& info) { return info.name.starts_with("latents."); });
}

InspectedFile inspect_part(const PartFile& found) {
  InspectedFile part;
  part.file = found.file;
  part.kind = kind_of(part.file->tensors());
  switch (part.kind) {
    case PartKind::transformer:
      inspect_transformer(part, found);
      break;
    case PartKind::vae:
      inspect_vae(part, found);
      break;
    case PartKind::text_encoder:
      inspect_text_encoder(part, found);
      break;
    case PartKind::image_encoder:
      inspect_image_encoder(part, found);
      break;
    case PartKind::other:
      if (are_latents(part.file->tensors())) {
        part.family = "latents";
        part.variant = c10::str(part.file->tensors().size(), " segments");
      }
  }
  return part;
}

/// What a render at the model's own size takes; nothing when a part does not fit.
std::optional<MemoryEstimate> estimate(RenderSettings settings) {
  const auto model = open_model(settings, Need::render);
  const Habits habits = apply_presets(settings, model->variant, model->transformer_config, model->parts.preset,
                                      model->parts.scheduler_config);
  if (settings.width <= 0) {
    constexpr FrameSize kUsualAspect{832, 480};
    const FrameSize size = official_frame_size(kUsualAspect, habits.area, model->vae_config.spatial_stride(),
                                               model->transformer_config.patch_size[1]);
    settings.width = size.width;
    settings.height = size.height;
  }
  return estimate_memory(*model, settings, Compute{}, std::min(settings.frames, habits.frames), 0);
}

Inspection inspect_folder(const std::filesystem::path& path) {
  RenderSettings settings;
  settings.model = path.string();
  const ModelParts model = find_parts(settings, Need::render);
  Inspection result;
  result.layout = model.layout;
  bool fits = true, wants_pictures = false;
  for (const auto& [kind, found] : model.parts) {
    result.parts.push_back(inspect_part(found));
    const InspectedFile& part = result.parts.back();
    fits = fits && part.fits();
    if (kind == PartKind::transformer || result.family.empty()) {
      result.family = part.family;
      result.variant = part.variant;
    }
    if (kind == PartKind::transformer) {
      wants_pictures = wan::transformer_config_from_tensors(part.file->tensors()).image_dim > 0;
    }
  }
  // A folder with one network is that network's, not a model that lacks the others.
  if (model.parts.size() == 1 && model.tokenizer.empty()) return result;
  for (const PartKind kind : {PartKind::transformer, PartKind::text_encoder, PartKind::vae, PartKind::image_encoder}) {
    const bool wanted = kind != PartKind::image_encoder || wants_pictures;
    if (wanted && model.parts.count(kind) == 0) result.absent.emplace_back(name_of(kind));
  }
  if (model.tokenizer.empty()) result.absent.emplace_back("tokenizer");
  if (fits && result.absent.empty()) result.memory = estimate(settings);
  return result;
}

}  // namespace

uint64_t InspectedFile::parameters() const {
  uint64_t sum = 0;
  for (const auto& info : file->tensors()) sum += static_cast<uint64_t>(info.numel());
  return sum;
}

uint64_t InspectedFile::bytes() const {
  uint64_t sum = 0;
  for (const auto& info : file->tensors()) sum += info.bytes();
  return sum;
}

Inspection inspect(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return inspect_folder(path);
  Inspection result;
  result.layout = "file";
  result.parts.push_back(inspect_part(open_part(path)));
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
