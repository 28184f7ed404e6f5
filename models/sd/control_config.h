#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/sd/config.h"

namespace keyflow::sd {

/// A ControlNet's sizes. Defaults are those of the ControlNets for Stable Diffusion 1.5.
struct ControlNetConfig {
  UNetConfig encoder;  ///< its copy of the U-Net's way down; out_channels, sample_size, time_cond_proj_dim do not count
  int64_t conditioning_channels = 3;  ///< of the control picture
  bool bgr = false;                   ///< it was trained on pictures whose channels stand in the order blue, green, red
  std::vector<int64_t> conditioning_embedding_out_channels{16, 32, 96, 256};
  bool global_pool_conditions = false;  ///< each residual is averaged over the picture ("shuffle")

  /// How many times larger the control picture is than the latents, along each edge.
  int64_t picture_scale() const { return int64_t{1} << (conditioning_embedding_out_channels.size() - 1); }

  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// The configuration that a config.json of diffusers' ControlNetModel states; fields it does not state come from
/// `base`. Throws Error::config listing all unknown keys, wrong types, and values that stand for modules this network
/// lacks.
ControlNetConfig control_net_config_from_json(const nlohmann::json& json, const std::string& where,
                                              const ControlNetConfig& base = {});

/// The configuration that a checkpoint's names and shapes show, in either spelling; see unet_config_from_tensors().
ControlNetConfig control_net_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

/// A config.json that diffusers' ControlNetModel.from_pretrained reads, and control_net_config_from_json too.
nlohmann::json to_json(const ControlNetConfig& config);

}  // namespace keyflow::sd
