#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "models/esrgan/config.h"
#include "models/layers/conv.h"
#include "weights/scope.h"

namespace keyflow::esrgan {

/// Five convolutions, each of which sees the input and what all before it made; a fifth of the last is added to the
/// input.
class DenseBlock {
 public:
  DenseBlock(const weights::Scope& w, int64_t features, int64_t growth);
  /// x [B, C, H, W] float32; return likewise
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::vector<layers::Conv2d> conv;
  at::ScalarType type_;
};

/// Three dense blocks; a fifth of their result is added to the input.
class ResidualBlock {
 public:
  ResidualBlock(const weights::Scope& w, int64_t features, int64_t growth);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  DenseBlock rdb1, rdb2, rdb3;
};

/// The generator of ESRGAN and Real-ESRGAN.
/// source ESRGAN (1809.00219) fig. 4; Real-ESRGAN (2107.10833) fig. 4; BasicSR basicsr/archs/rrdbnet_arch.py@8d56e3a
class RrdbNet {
 public:
  RrdbNet(const weights::Scope& w, const Config& config);
  /// rgb [B, 3, H, W] float32, H and W multiples of config.unshuffle; return [B, 3, scale * H, scale * W]
  at::Tensor operator()(const at::Tensor& rgb) const;

 private:
  int64_t unshuffle_;
  layers::Conv2d conv_first;
  std::vector<ResidualBlock> body;
  layers::Conv2d conv_body;
  std::vector<layers::Conv2d> conv_up;
  layers::Conv2d conv_hr, conv_last;
};

}  // namespace keyflow::esrgan
