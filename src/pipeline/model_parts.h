#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/registry.h"
#include "pipeline/settings.h"
#include "weights/lora_set.h"
#include "weights/tensor_file.h"
#include "weights/textual_inversion.h"

namespace keyflow::pipeline {

/// One network's checkpoint, opened, and the config.json that goes with it.
struct PartFile {
  std::shared_ptr<const weights::TensorFile> file;
  std::filesystem::path config;               ///< "" for none
  const models::NetworkType* type = nullptr;  ///< null for tensors of no known network
  int64_t index = 0;                          ///< which of the file's networks of that type
};

/// A file, or a folder with one checkpoint, whatever networks it holds: an entry each, or a single one without type.
/// Throws Error::io, Error::weights, Error::config.
std::vector<PartFile> open_part(const std::filesystem::path& path);

/// Where the parts of a model lie; absent parts are absent.
struct ModelParts {
  std::string layout;            ///< "diffusers folder", "official folder", "single file" or "files"
  std::filesystem::path folder;  ///< "" for separate files
  bool used_model = false;       ///< false where the parts given one by one are all there is
  std::map<models::Part, PartFile> parts;
  weights::LoraSet loras;  ///< of the settings, and those that the prompt names
  weights::LoraMode lora_mode = weights::LoraMode::beside;
  std::vector<weights::TextualInversion> embeddings;
  std::vector<PartFile> control_nets;                        ///< in the order of settings.control_nets
  std::map<models::Part, std::filesystem::path> tokenizers;  ///< by the text encoder that they are for
  std::filesystem::path scheduler_config, preprocessor_config, preset;
  bool has(models::Part part) const { return parts.count(part) > 0; }
};

/// What a command needs of a model: everything, the text encoders with their tokenizers, or the VAE.
enum class Need { render, text, vae };

/// Finds and opens (headers only) the files of settings.model and of the parts given one by one: a diffusers folder, a
/// folder as Wan publishes it, where each file is told by its tensors, or a file that holds one network or several. No
/// path leaves the folder (the hub cache's links to its own blobs apart). A model that nobody named is left alone when
/// the parts given suffice.
/// throws Error::io, Error::weights, Error::config (model_index.json), Error::unsupported (another family)
ModelParts find_parts(const RenderSettings& settings, Need need);

}  // namespace keyflow::pipeline
