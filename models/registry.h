#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "weights/plan.h"

namespace keyflow::models {

/// The place a network takes in a model.
enum class Part { transformer, text_encoder, vae, image_encoder };

/// "transformer", "text encoder", ...
std::string_view name_of(Part part);

/// The option that names a file for the part: "--text-encoder".
std::string_view option_of(Part part);

/// What a checkpoint's header, and the config.json that goes with it, show.
struct Description {
  std::string variant;  ///< "Wan2.1-FLF2V-14B", "umT5-XXL", "Wan VAE of width 8"
  weights::Plan plan;   ///< what the network of that variant asks for
  weights::Rename rename;
  weights::Ignore ignore;
};

/// A network that keyflow builds.
struct NetworkType {
  Part part;
  std::string_view family, title;       ///< "wan", "the Wan transformer"
  std::vector<std::string_view> marks;  ///< ends of names that only it has, one for each spelling; repacks add prefixes
  std::vector<std::string_view> class_names;  ///< of a config.json: diffusers' _class_name, transformers' architectures
  /// config  "" for none
  /// throws  Error::config, Error::weights, Error::unsupported
  Description (*describe)(const weights::TensorFile& file, const std::filesystem::path& config);

  bool has_class(std::string_view name) const;
};

/// The registry: every network, one line each.
const std::vector<NetworkType>& network_types();

/// What the names of a file's tensors show, in any spelling keyflow reads; null for anything else.
const NetworkType* type_of(const std::vector<weights::TensorInfo>& tensors);

}  // namespace keyflow::models
