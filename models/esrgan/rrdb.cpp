#include "models/esrgan/rrdb.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/pixel_unshuffle.h>
#include <ATen/ops/upsample_nearest2d.h>

namespace keyflow::esrgan {

using layers::Conv2d;
using layers::Conv2dOptions;
using weights::Scope;

namespace {

constexpr Conv2dOptions kSame{.kernel = 3, .padding = 1};
constexpr double kSlope = 0.2, kResidual = 0.2;

at::Tensor leaky(at::Tensor x) { return at::leaky_relu_(x, kSlope); }

}  // namespace

DenseBlock::DenseBlock(const Scope& w, int64_t features, int64_t growth) : type_(w.compute().conv2d) {
  for (int64_t i = 0; i < 5; ++i) {
    conv.emplace_back(w / c10::str("conv", i + 1), features + i * growth, i < 4 ? growth : features, kSame);
  }
}

at::Tensor DenseBlock::operator()(const at::Tensor& x) const {
  std::vector<at::Tensor> seen{x.to(type_)};
  for (size_t i = 0; i < 4; ++i) seen.push_back(leaky(conv[i](at::cat(seen, 1))));
  return conv[4](at::cat(seen, 1)).to(at::kFloat).mul_(kResidual).add_(x);
}

ResidualBlock::ResidualBlock(const Scope& w, int64_t features, int64_t growth)
    : rdb1(w / "rdb1", features, growth), rdb2(w / "rdb2", features, growth), rdb3(w / "rdb3", features, growth) {}

at::Tensor ResidualBlock::operator()(const at::Tensor& x) const { return rdb3(rdb2(rdb1(x))).mul_(kResidual).add_(x); }

RrdbNet::RrdbNet(const Scope& w, const Config& config)
    : unshuffle_(config.unshuffle),
      conv_first(Conv2d::fp32(w / "conv_first", 3 * config.unshuffle * config.unshuffle, config.features, kSame)),
      conv_body(w / "conv_body", config.features, config.features, kSame),
      conv_hr(w / "conv_hr", config.features, config.features, kSame),
      conv_last(Conv2d::fp32(w / "conv_last", config.features, 3, kSame)) {
  for (int64_t i = 0; i < config.blocks; ++i) body.emplace_back(w / "body" / i, config.features, config.growth);
  for (int64_t i = 0; i < config.doublings; ++i) {
    conv_up.emplace_back(w / c10::str("conv_up", i + 1), config.features, config.features, kSame);
  }
}

at::Tensor RrdbNet::operator()(const at::Tensor& rgb) const {
  const at::Tensor pixels = unshuffle_ > 1 ? at::pixel_unshuffle(rgb, unshuffle_) : rgb;   // [B, 3*P*P, H/P, W/P]
  const at::Tensor first = conv_first(pixels.contiguous(at::MemoryFormat::ChannelsLast));  // [B, C, H/P, W/P]
  at::Tensor x = first;
  for (const auto& block : body) x = block(x);
  x = conv_body(x).add(first);
  for (const auto& convolution : conv_up) {
    x = leaky(convolution(at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)})));
  }
  return conv_last(leaky(conv_hr(x))).to(at::kFloat);
}

}  // namespace keyflow::esrgan
