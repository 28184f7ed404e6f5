#include "models/taesd/network.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/upsample_nearest2d.h>

#include "core/shape.h"

namespace keyflow::taesd {

using layers::Bias;
using layers::Conv2dOptions;
using weights::Scope;

namespace {

constexpr Conv2dOptions kSame{.kernel = 3, .padding = 1};
constexpr Conv2dOptions kResample{.kernel = 3, .padding = 1, .bias = Bias::no};
constexpr Conv2dOptions kHalving{.kernel = 3, .stride = 2, .padding = 1, .bias = Bias::no};
constexpr Conv2dOptions kPointwise{.kernel = 1, .bias = Bias::no};
constexpr int64_t kPoolWiden = 4, kPoolGroups = 4;
constexpr double kPoolEps = 1e-5;

Block::Pool pool_of(const TinyConfig& config, bool lowest) {
  return config.pooled && lowest ? Block::Pool::normed : Block::Pool::none;
}

at::Tensor channels_last(const at::Tensor& x) { return x.to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast); }

}  // namespace

Block::Branch::Branch(const Scope& w, int64_t width)
    : widen(w / 0, width, kPoolWiden * width, kPointwise),
      norm(w / 1, kPoolWiden * width, kPoolGroups, kPoolEps),
      narrow(w / 3, kPoolWiden * width, width, kPointwise) {}

Block::Block(const Scope& w, int64_t width, Pool kind)
    : conv0(w / "conv" / 0, width, width, kSame),
      conv2(w / "conv" / 2, width, width, kSame),
      conv4(w / "conv" / 4, width, width, kSame) {
  if (kind == Pool::normed) pool.emplace(w / "pool", width);
}

at::Tensor Block::operator()(const at::Tensor& input) const {
  const at::Tensor x = pool ? pool->narrow(pool->norm(pool->widen(input)).relu_()).add_(input) : input;
  at::Tensor h = conv0(x).relu_();
  h = conv2(h).relu_();
  return conv4(h).add_(x).relu_();
}

Encoder::Encoder(const Scope& w, const TinyConfig& config) : config_((config.validate(), config)) {
  int64_t index = 0;
  for (size_t i = 0; i < config.blocks.size(); ++i) {
    Level& level = levels_.emplace_back();
    level.conv.emplace(w / index++, i == 0 ? config.picture_channels : config.width, config.width,
                       i == 0 ? kSame : kHalving);
    const Block::Pool pool = pool_of(config, i + 1 == config.blocks.size());
    for (int64_t k = 0; k < config.blocks[i]; ++k) level.blocks.emplace_back(w / index++, config.width, pool);
  }
  conv_out_.emplace(w / index, config.width, config.latent_channels, kSame);
}

at::Tensor Encoder::operator()(const at::Tensor& pixels) const {
  require_shape(pixels, {-1, config_.picture_channels, -1, -1}, "pixels");
  const int64_t stride = config_.stride(), H = pixels.size(2), W = pixels.size(3);
  require(H > 0 && W > 0 && H % stride == 0 && W % stride == 0, ErrorKind::shape,
          "pixels: expected height and width in multiples of ", stride, ", found ", H, " and ", W);
  at::Tensor x = channels_last(pixels) * 0.5 + 0.5;
  for (const auto& level : levels_) {
    x = (*level.conv)(x);
    for (const auto& block : level.blocks) x = block(x);
  }
  return (*conv_out_)(x).to(at::kFloat).contiguous();
}

Decoder::Decoder(const Scope& w, const TinyConfig& config) : config_((config.validate(), config)) {
  // 0 clamps the latents, 2 is the activation after the first convolution, and before each later convolution but the
  // last stands an upsampling.
  int64_t index = 1;
  conv_in_.emplace(w / index, config.latent_channels, config.width, kSame);
  index += 2;
  for (size_t i = 0; i < config.blocks.size(); ++i) {
    Level& level = levels_.emplace_back();
    const bool last = i + 1 == config.blocks.size();
    const Block::Pool pool = pool_of(config, i == 0);
    for (int64_t k = 0; k < config.blocks[i]; ++k) level.blocks.emplace_back(w / index++, config.width, pool);
    if (!last) ++index;
    level.conv.emplace(w / index++, config.width, last ? config.picture_channels : config.width,
                       last ? kSame : kResample);
  }
}

at::Tensor Decoder::operator()(const at::Tensor& latents) const {
  require_shape(latents, {-1, config_.latent_channels, -1, -1}, "latents");
  at::Tensor x = (*conv_in_)(at::tanh(channels_last(latents) / 3) * 3).relu_();  // [B, C, h, w]
  for (size_t i = 0; i < levels_.size(); ++i) {
    for (const auto& block : levels_[i].blocks) x = block(x);
    if (i + 1 < levels_.size()) x = at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
    x = (*levels_[i].conv)(x);
  }
  return (x.to(at::kFloat) * 2 - 1).contiguous();
}

}  // namespace keyflow::taesd
