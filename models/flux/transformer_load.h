#pragma once
#include <filesystem>
#include <memory>

#include "models/flux/transformer.h"
#include "weights/overlay.h"
#include "weights/tensor_file.h"

namespace keyflow::flux {

/// The configuration of a checkpoint: what its tensors show, then what the config.json beside it states.
///
/// config_json  empty for none
/// throws       Error::config, Error::weights
TransformerConfig transformer_config(const weights::TensorFile& file, const std::filesystem::path& config_json = {});

/// Plans the network, compares it with the file's header, and builds it on the file's own memory. The mapping lives as
/// long as the network.
///
/// file   diffusers' folder, Black Forest Labs' single file, or a whole checkpoint that holds either
/// lora   what LoRA files change, matched by lora_names()
/// throws Error::weights listing every missing, unexpected and misshapen tensor
Transformer load_transformer(const std::shared_ptr<const weights::TensorFile>& file, const TransformerConfig& config,
                             const Compute& compute, const weights::Overlay& lora = {});

}  // namespace keyflow::flux
