#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/taesd/keys.h"

namespace keyflow::taesd {

/// One half of a tiny autoencoder. Defaults are those of TAESD's encoder.
struct TinyConfig {
  int64_t picture_channels = 3;
  int64_t latent_channels = 4;
  int64_t width = 64;
  std::vector<int64_t> blocks{1, 3, 3, 3};  ///< of each level, in the order in which they run
  bool pooled = false;  ///< TAEF2: a normalised 1x1 branch before each block of the lowest resolution

  /// Pixels along the edge of one latent position.
  int64_t stride() const { return int64_t{1} << (blocks.size() - 1); }
  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// The configuration that a file's names and shapes show: all of it. Throws Error::weights when the tensors are not
/// those of this network.
TinyConfig tiny_config_from_tensors(const std::vector<weights::TensorInfo>& tensors, const TinyKeys& keys);

/// Checks the config.json of diffusers' AutoencoderTiny: that nothing in it asks for another computation than this one.
/// Throws Error::config listing all unknown keys and other values.
void require_known(const nlohmann::json& json, const std::string& where);

}  // namespace keyflow::taesd
