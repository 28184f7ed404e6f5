#pragma once
#include <filesystem>

#include "models/wan/variant.h"
#include "pipeline/settings.h"

namespace keyflow::pipeline {

/// What a model was made for.
struct Habits {
  int64_t area = 0;    ///< pixels of a frame without given size
  int64_t frames = 0;  ///< 4n + 1; longer videos are made of segments
};

/// Fills in what nobody has set: the official program's defaults for the variant, or diffusers' with its conventions,
/// then the model's own preset.json, whose keys are setting names and "pictures": "optional" | "required".
///
/// preset, scheduler_config  "" for none; of the latter flow_shift is read, for the diffusers conventions
Habits apply_presets(RenderSettings& settings, wan::Variant& variant, const wan::TransformerConfig& config,
                     const std::filesystem::path& preset, const std::filesystem::path& scheduler_config);

}  // namespace keyflow::pipeline
