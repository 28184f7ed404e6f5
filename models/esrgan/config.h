#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "models/esrgan/keys.h"

namespace keyflow::esrgan {

/// One upscaler. Defaults are those of RealESRGAN_x4plus.
struct Config {
  Kind kind = Kind::rrdb;
  int64_t features = 64;
  int64_t blocks = 23;    ///< rrdb: blocks of three dense blocks; compact: convolutions between the first and the last
  int64_t growth = 32;    ///< rrdb: channels that each convolution of a dense block adds
  int64_t doublings = 2;  ///< rrdb: how often the features are doubled in size
  int64_t unshuffle = 1;  ///< rrdb: pixels along an edge that become channels first; x2plus has 2
  int64_t shuffle = 4;    ///< compact: channels that become pixels along an edge last

  /// Pixels along an edge of the result for one of the picture.
  int64_t scale() const;
  /// How many pixels of the picture away, in each direction, something may still change a pixel of the result.
  int64_t reach() const;
  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// The configuration that a file's names and shapes show: all of it. Throws Error::weights when the tensors are not
/// those of this network.
Config config_from_tensors(const std::vector<weights::TensorInfo>& tensors, const Keys& keys);

/// "RealESRGAN x4plus", or the sizes where they are no published ones: "RRDB x4 of 12 features, 3 blocks".
std::string variant_of(const Config& config);

}  // namespace keyflow::esrgan
