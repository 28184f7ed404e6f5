#pragma once
#include <filesystem>
#include <string>

#include "models/wan/config.h"
#include "pipeline/settings.h"

namespace keyflow::pipeline {

/// What a transformer can be asked, as its sizes show; names of files never count.
struct Variant {
  std::string name;                 ///< "Wan2.1-FLF2V-14B", or "Wan FLF2V of width 96"
  bool takes_keyframes = false;     ///< mask and condition latents are among its inputs
  int64_t picture_slots = 0;        ///< pictures whose tokens it attends to: none, 1 (I2V), 2 (FLF2V)
  bool keyframes_optional = false;  ///< also trained without pictures (Fun-InP, mini)
};

/// tokens_per_picture  of the picture encoder, 0 without one
/// throws Error::unsupported for inputs of another kind (control videos), Error::config when the tokens do not divide
Variant variant_of(const wan::TransformerConfig& config, int64_t tokens_per_picture);

/// What a model was made for.
struct Habits {
  int64_t area = 0;    ///< pixels of a frame without given size
  int64_t frames = 0;  ///< 4n + 1; longer videos are made of segments
};

/// Fills in what nobody has set: the official program's defaults for the variant, or diffusers' with its conventions,
/// then the model's own preset.json, whose keys are setting names and "pictures": "optional" | "required".
///
/// preset, scheduler_config  "" for none; of the latter flow_shift is read, for the diffusers conventions
Habits apply_presets(RenderSettings& settings, Variant& variant, const wan::TransformerConfig& config,
                     const std::filesystem::path& preset, const std::filesystem::path& scheduler_config);

}  // namespace keyflow::pipeline
