#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "models/registry.h"
#include "pipeline/settings.h"
#include "weights/tensor_file.h"

namespace keyflow::pipeline {

/// One network's checkpoint, opened, and the config.json that goes with it.
struct PartFile {
  std::shared_ptr<const weights::TensorFile> file;
  std::filesystem::path config;  ///< "" for none
};

/// A file, or a folder with one checkpoint, whatever network it holds. Throws Error::io, Error::weights, Error::config.
PartFile open_part(const std::filesystem::path& path);

/// Where the parts of a model lie; absent parts are absent.
struct ModelParts {
  std::string layout;            ///< "diffusers folder", "official folder" or "files"
  std::filesystem::path folder;  ///< "" for separate files
  std::map<models::Part, PartFile> parts;
  std::filesystem::path tokenizer, scheduler_config, preprocessor_config, preset;
};

/// What a command needs of a model: everything, the text encoder with its tokenizer, or the VAE.
enum class Need { render, text, vae };

/// Finds and opens (headers only) the files of settings.model and of the parts given one by one: a diffusers folder, a
/// folder as Wan publishes it, where each file is told by its tensors, or a transformer file. No path leaves the folder
/// (the hub cache's links to its own blobs apart). A model that nobody named is left alone when the parts given
/// suffice. throws Error::io, Error::weights, Error::config (model_index.json), Error::unsupported (another family)
ModelParts find_parts(const RenderSettings& settings, Need need);

}  // namespace keyflow::pipeline
