#include "models/esrgan/compact.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/pixel_shuffle.h>
#include <ATen/ops/prelu.h>
#include <ATen/ops/upsample_nearest2d.h>

namespace keyflow::esrgan {

using layers::Conv2d;
using layers::Conv2dOptions;
using weights::Scope;

namespace {

constexpr Conv2dOptions kSame{.kernel = 3, .padding = 1};
constexpr int64_t kSlopeFanIn = 16;  // slopes within a quarter, as torch's layer begins

}  // namespace

CompactNet::CompactNet(const Scope& w, const Config& config) : shuffle_(config.shuffle) {
  const Scope body = w / "body";
  int64_t index = 0;
  for (int64_t i = 0; i <= config.blocks; ++i) {
    const Scope here = body / index++;
    convolutions_.push_back(i == 0 ? Conv2d::fp32(here, 3, config.features, kSame)
                                   : Conv2d(here, config.features, config.features, kSame));
    const at::Tensor slope = (body / index++).tensor("weight", {config.features}, weights::Init::fan_in, kSlopeFanIn);
    slopes_.emplace_back(slope, i == 0 ? at::kFloat : w.compute().conv2d);
  }
  convolutions_.push_back(Conv2d::fp32(body / index, config.features, 3 * shuffle_ * shuffle_, kSame));
}

at::Tensor CompactNet::operator()(const at::Tensor& rgb) const {
  at::Tensor x = rgb.contiguous(at::MemoryFormat::ChannelsLast);
  for (size_t i = 0; i < slopes_.size(); ++i) x = at::prelu(convolutions_[i](x), slopes_[i].get());  // [B, C, H, W]
  const at::Tensor details = at::pixel_shuffle(convolutions_.back()(x).to(at::kFloat), shuffle_);
  return details + at::upsample_nearest2d(rgb, {shuffle_ * rgb.size(2), shuffle_ * rgb.size(3)});
}

}  // namespace keyflow::esrgan
