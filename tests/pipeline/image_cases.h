#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "pipeline/settings.h"

namespace keyflow::pipeline {

/// What image_reference.py wrote: model folders, pictures, cases.json, reference.safetensors.
std::filesystem::path image_folder();
/// The names of all its cases.
std::vector<std::string> image_case_names();
/// One tensor of reference.safetensors: "sd15.latents" [1, Z, 1, h, w] or "sd15.frame" [3, H, W] in [0, 1].
at::Tensor image_tensor(const std::string& name);
/// The case whose tensors a case has: itself, or the one that asks for the same in other words.
std::string expected_of(const std::string& name);

/// The settings of a case, for settings_from.
nlohmann::json image_settings(const std::string& name);
/// The same for the weights of its model in the files that publishers release.
nlohmann::json single_file_settings(const std::string& name);
RenderSettings settings_from(const nlohmann::json& object);

/// [1, Z, 1, h, w]
at::Tensor rendered_latents(const RenderSettings& settings);

}  // namespace keyflow::pipeline
