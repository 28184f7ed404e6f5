#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "models/sd/control_config.h"
#include "weights/plan.h"

namespace keyflow::sd {

/// The spelling of the names in a file. The networks themselves speak diffusers', which every folder on the hub has and
/// LoRAs refer to; `original` is that of single files (LDM and SGM: "input_blocks.1.0.in_layers.0.weight").
enum class Spelling { diffusers, original };
std::string_view name_of(Spelling spelling);

/// What the original spelling of a name depends on besides the name, since it numbers blocks through all levels.
struct BlockNumbering {
  int64_t layers_per_block = 2;
  std::vector<bool> up_attention;  ///< whether the levels on the way up, coarsest first, have attention
  int64_t hint_blocks = 6;         ///< convolutions between the first and the last of a ControlNet's picture embedding
};

/// How one file names the tensors of a U-Net or a ControlNet: by which spelling, behind which prefix
/// ("model.diffusion_model." and "control_model." in single files).
struct Keys {
  Spelling spelling = Spelling::diffusers;
  std::string prefix;
  BlockNumbering numbering;

  /// Model name -> file name.
  weights::Rename rename() const;
  /// Tensors of the file that this network rightly leaves alone: the other parts of a single file.
  weights::Ignore ignore() const;
};

/// The names a file of these sizes would have.
Keys unet_keys(const UNetConfig& config, Spelling spelling, const std::string& prefix = "");
Keys control_net_keys(const ControlNetConfig& config, Spelling spelling, const std::string& prefix = "");

/// What the names of a file show; diffusers' without prefix where they show nothing.
Keys unet_keys(const std::vector<weights::TensorInfo>& tensors);
Keys control_net_keys(const std::vector<weights::TensorInfo>& tensors);

/// "down_blocks.1.resnets.0.conv1.weight" -> "input_blocks.4.0.in_layers.2.weight"
std::string to_original_name(const std::string& name, const BlockNumbering& numbering);

}  // namespace keyflow::sd
