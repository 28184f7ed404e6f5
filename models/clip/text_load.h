#pragma once
#include <filesystem>
#include <memory>

#include "models/clip/text.h"
#include "weights/overlay.h"
#include "weights/tensor_file.h"

namespace keyflow::clip {

/// The configuration of one of a checkpoint's text encoders: what its tensors show, then what the config.json beside it
/// states.
///
/// keys         one of text_towers(file.tensors())
/// config_json  empty for none
/// throws       Error::config, Error::weights
TextConfig text_config(const weights::TensorFile& file, const TextKeys& keys,
                       const std::filesystem::path& config_json = {});

/// Plans the network, compares it with the file's header, and builds it on the file's own memory.
///
/// lora   what LoRA files change, matched by lora_names()
/// throws Error::weights listing every missing, unexpected and misshapen tensor
TextModel load_text(const std::shared_ptr<const weights::TensorFile>& file, const TextKeys& keys,
                    const TextConfig& config, const Compute& compute, const weights::Overlay& lora = {});

}  // namespace keyflow::clip
