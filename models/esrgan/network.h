#pragma once
#include <variant>

#include "models/esrgan/compact.h"
#include "models/esrgan/rrdb.h"

namespace keyflow::esrgan {

/// An upscaler of either kind.
class Network {
 public:
  Network(const weights::Scope& w, const Config& config);

  /// rgb     [B, 3, H, W] float32 in [0, 1], of any size; where it is no multiple of config().unshuffle, the right and
  ///         lower border are mirrored up to one, and what they become is cut off
  /// return  [B, 3, scale * H, scale * W] float32, not clamped
  /// throws  Error::shape
  at::Tensor operator()(const at::Tensor& rgb) const;
  const Config& config() const { return config_; }

 private:
  Config config_;
  std::variant<RrdbNet, CompactNet> network_;
};

}  // namespace keyflow::esrgan
