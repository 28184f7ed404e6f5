#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "schedulers/sampler.h"

namespace keyflow::pipeline {

/// All that an interrupted run needs to go on exactly: one safetensors file.
struct SavedRun {
  std::string settings;              ///< metadata_text of the render; another text is another render
  std::vector<at::Tensor> finished;  ///< latents of the segments before the running one
  schedulers::SamplerState sampler;  ///< of the running segment
};

void save_run(const std::filesystem::path& path, const SavedRun& run);

/// Nothing when the file does not exist. Throws Error::config when it belongs to a render with other settings,
/// Error::weights when it is damaged.
std::optional<SavedRun> load_run(const std::filesystem::path& path, const std::string& settings);

}  // namespace keyflow::pipeline
