#pragma once
#include <optional>
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::esrgan {

/// The two networks: residual in residual dense blocks (ESRGAN, Real-ESRGAN), and a plain chain of convolutions
/// (SRVGGNetCompact, some fifty times as fast).
enum class Kind { rrdb, compact };

/// How one file names the tensors.
struct Keys {
  /// The model itself speaks the current spelling ("body.0.rdb1.conv1.weight"); first is that of ESRGAN's own program
  /// ("RRDB_trunk.0.RDB1.conv1.weight"), old the one before it, by indexes into its sequence
  /// ("model.1.sub.0.RDB1.conv1.0.weight"); ncnn counts its convolutions.
  enum class Spelling { current, first, old, ncnn };

  Kind kind = Kind::rrdb;
  Spelling spelling = Spelling::current;
  std::string prefix;     ///< before every name, such as "params_ema."
  int64_t blocks = 0;     ///< rrdb: of dense blocks; what follows them is numbered behind them
  int64_t doublings = 0;  ///< rrdb: as in Config

  /// Model name -> file name.
  weights::Rename rename() const;
};

/// What the names of a file show; nothing where it holds neither network.
std::optional<Keys> keys_of(const std::vector<weights::TensorInfo>& tensors);

}  // namespace keyflow::esrgan
