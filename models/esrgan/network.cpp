#include "models/esrgan/network.h"

#include <ATen/ops/reflection_pad2d.h>
#include <ATen/ops/replication_pad2d.h>

#include "core/shape.h"

namespace keyflow::esrgan {
namespace {

std::variant<RrdbNet, CompactNet> build(const weights::Scope& w, const Config& config) {
  config.validate();
  if (config.kind == Kind::compact) return CompactNet(w, config);
  return RrdbNet(w, config);
}

/// Pixels that are missing to a multiple.
int64_t short_of(int64_t side, int64_t multiple) { return (multiple - side % multiple) % multiple; }

}  // namespace

Network::Network(const weights::Scope& w, const Config& config) : config_(config), network_(build(w, config)) {}

at::Tensor Network::operator()(const at::Tensor& rgb) const {
  require_shape(rgb, {-1, 3, -1, -1}, "rgb");
  const int64_t H = rgb.size(2), W = rgb.size(3), scale = config_.scale();
  require(rgb.numel() > 0 && rgb.scalar_type() == at::kFloat, ErrorKind::shape,
          "rgb: expected float32 and at least one pixel, found ", dtype_name(rgb.scalar_type()), " ",
          shape_text(rgb.sizes()));
  const int64_t down = short_of(H, config_.unshuffle), right = short_of(W, config_.unshuffle);
  at::Tensor whole = rgb;
  // A mirror needs more pixels than it adds.
  if (down > 0 || right > 0) {
    whole = down < H && right < W ? at::reflection_pad2d(rgb, {0, right, 0, down})
                                  : at::replication_pad2d(rgb, {0, right, 0, down});
  }
  const at::Tensor large = std::visit([&](const auto& network) { return network(whole); }, network_);
  return large.narrow(2, 0, scale * H).narrow(3, 0, scale * W);
}

}  // namespace keyflow::esrgan
