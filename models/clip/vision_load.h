#pragma once
#include <filesystem>
#include <memory>

#include "models/clip/vision.h"
#include "weights/tensor_file.h"

namespace keyflow::clip {

/// The configuration of a checkpoint: what its tensors show, then what the config.json beside it states.
///
/// config_json  empty for none
/// throws       Error::config, Error::weights
VisionConfig vision_config(const weights::TensorFile& file, const std::filesystem::path& config_json = {});

/// Plans the network, compares it with the file's header, and builds it on the file's own memory.
///
/// throws Error::weights listing every missing, unexpected and misshapen tensor
VisionTower load_vision(const std::shared_ptr<const weights::TensorFile>& file, const VisionConfig& config,
                        const Compute& compute);

}  // namespace keyflow::clip
