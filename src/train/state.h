#pragma once
#include <filesystem>

#include "train/adamw.h"

namespace keyflow::train {

/// Writes parameters, optimiser and the step within `stage` to one file, atomically.
void save_state(const std::filesystem::path& path, const NamedTensors& parameters, const AdamW& optimiser,
                int64_t stage, int64_t step);

/// Reads it back and returns the step to go on with: the saved one when the stage is the same, 0 for a new stage (which
/// starts from the averaged weights) and when the file does not exist.
int64_t load_state(const std::filesystem::path& path, const NamedTensors& parameters, AdamW& optimiser, int64_t stage);

}  // namespace keyflow::train
