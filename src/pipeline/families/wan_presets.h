#pragma once
#include "models/wan/variant.h"
#include "pipeline/model.h"

namespace keyflow::pipeline {

/// Fills in what nobody has set: the official program's defaults for the variant, or diffusers' with its conventions,
/// then the model's own preset.json, whose keys are setting names and "pictures": "optional" | "required", and which
/// may change `facts` so.
///
/// parts  of its preset, and of its scheduler_config flow_shift is read, for the diffusers conventions
Habits apply_wan_presets(RenderSettings& settings, ModelFacts& facts, const wan::Variant& variant,
                         const wan::TransformerConfig& config, const ModelParts& parts);

}  // namespace keyflow::pipeline
