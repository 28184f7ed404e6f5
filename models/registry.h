#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "weights/plan.h"

namespace keyflow::models {

/// The place a network takes in a model, or, of an upscaler, behind it.
enum class Part {
  denoiser,
  text_encoder,
  text_encoder_2,
  t5_encoder,
  vae,
  tiny_vae,
  image_encoder,
  control_net,
  upscaler
};

/// "diffusion model", "text encoder", ...
std::string_view name_of(Part part);

/// The setting that names a file for the part: "transformer", "text_encoder_2".
std::string_view field_of(Part part);

/// The option that names a file for the part: "--text-encoder".
std::string_view option_of(Part part);

/// What a checkpoint's header, and the config.json that goes with it, show.
struct Description {
  std::string variant;  ///< "Wan2.1-FLF2V-14B", "umT5-XXL", "Wan VAE of width 8"
  weights::Plan plan;   ///< what the network of that variant asks for
  weights::Rename rename;
  weights::Ignore ignore;
};

using Tensors = std::vector<weights::TensorInfo>;

/// A network that keyflow builds.
struct NetworkType {
  Part part;
  std::string_view family, title;       ///< "wan", "the Wan transformer"
  std::vector<std::string_view> marks;  ///< ends of names that only it has, one for each spelling; repacks add prefixes
  std::vector<std::string_view> class_names;  ///< of a config.json: diffusers' _class_name, transformers' architectures
  /// index   which of the file's networks of this type: single files of SDXL and SD3 hold two CLIP text encoders
  /// config  "" for none
  /// throws  Error::config, Error::weights, Error::unsupported
  Description (*describe)(const weights::TensorFile& file, int64_t index, const std::filesystem::path& config);
  /// How many a file with these tensors holds; null: one where a mark is found.
  int64_t (*count)(const Tensors& tensors) = nullptr;

  bool has_class(std::string_view name) const;
  int64_t count_in(const Tensors& tensors) const;
};

/// The registry: every network, one line each.
const std::vector<NetworkType>& network_types();

/// A network within a file.
struct NetworkPlace {
  const NetworkType* type;
  int64_t index = 0;
};

/// Every network that the names of a file's tensors show, in any spelling keyflow reads: one for a part's own file,
/// several for a checkpoint that holds a whole model.
std::vector<NetworkPlace> networks_in(const Tensors& tensors);

/// The first of them; null for anything else.
const NetworkType* type_of(const Tensors& tensors);

}  // namespace keyflow::models
