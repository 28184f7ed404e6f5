#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/registry.h"
#include "pipeline/render.h"
#include "weights/tensor_file.h"

namespace keyflow::pipeline {

/// One checkpoint, as its header and the config.json beside it show it.
struct InspectedFile {
  std::shared_ptr<const weights::TensorFile> file;
  std::vector<weights::TensorInfo> tensors;   ///< all of a file that holds one network, else those of this one
  const models::NetworkType* type = nullptr;  ///< null for other tensors
  std::string family = "unknown";             ///< "wan", "t5", "clip", "latents", "lora"
  std::string variant;                        ///< "Wan2.1-FLF2V-14B", "umT5-XXL", "Wan VAE of width 8"
  /// What the network of that variant asks for in the file's spelling and does not find, and what it leaves over.
  std::vector<weights::TensorInfo> missing, unexpected;
  std::vector<std::string> mismatched;  ///< "name: model [...], file [...]"

  /// "transformer", "LoRA", or "unknown network".
  std::string part_name() const {
    if (family == "lora") return "LoRA";
    return type != nullptr ? std::string(name_of(type->part)) : "unknown network";
  }
  bool fits() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
  uint64_t parameters() const;
  uint64_t bytes() const;
};

struct Inspection {
  std::string layout;           ///< "diffusers folder", "official folder" or "file"
  std::string family, variant;  ///< of the transformer where there is one
  std::vector<InspectedFile> parts;
  std::vector<std::string> absent;  ///< parts of the folder's model that are not there: "VAE"
  /// Of a render at the model's own size, in fp32, beside the mapped weights; for whole models only.
  std::optional<MemoryEstimate> memory;
};

/// Tells what a file or folder is, from headers alone: no weight is read.
/// throws Error::io, Error::weights, Error::config, Error::unsupported for what cannot be read at all; tensors that do
///        not fit are not thrown but listed
Inspection inspect(const std::filesystem::path& path);

/// "name: 3 of 4096 values are NaN or infinite" for each such tensor; reads every weight.
std::vector<std::string> tensors_not_finite(const weights::TensorFile& file);

}  // namespace keyflow::pipeline
