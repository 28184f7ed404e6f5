#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::pipeline {

/// The networks a render is made of.
enum class PartKind { transformer, text_encoder, vae, image_encoder, other };

/// What the names of a file's tensors show, in any spelling keyflow reads; PartKind::other for anything else.
PartKind kind_of(const std::vector<weights::TensorInfo>& tensors);

/// "transformer", "text encoder", ...
std::string_view name_of(PartKind kind);

/// The option that names a file for the part: "--text-encoder".
std::string_view option_of(PartKind kind);

/// True when a config.json with this class name (diffusers' _class_name, transformers' architectures) describes the
/// part.
bool is_config_of(PartKind kind, std::string_view class_name);

}  // namespace keyflow::pipeline
