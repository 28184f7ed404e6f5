#include "models/wan/vae.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include "core/shape.h"
#include "models/wan/vae_layers.h"
#include "models/wan/vae_tiles.h"

namespace keyflow::wan {

using weights::Scope;

namespace {

using Blocks = std::vector<std::unique_ptr<Block>>;

InTime in_time(bool yes) { return yes ? InTime::yes : InTime::no; }

at::Tensor run(const Blocks& blocks, at::Tensor x, Stream* stream) {
  for (const auto& block : blocks) x = (*block)(x, stream);
  return x;
}

Blocks middle(const Scope& w, int64_t channels, SlotCounter& slots) {
  Blocks blocks;
  blocks.push_back(std::make_unique<ResidualBlock>(w / 0, channels, channels, slots));
  blocks.push_back(std::make_unique<AttentionBlock>(w / 1, channels));
  blocks.push_back(std::make_unique<ResidualBlock>(w / 2, channels, channels, slots));
  return blocks;
}

Blocks down_path(const Scope& w, const VaeConfig& config, SlotCounter& slots) {
  Blocks blocks;
  const auto next = [&] { return w / blocks.size(); };
  int64_t channels = config.base_dim;
  for (size_t level = 0; level < config.dim_mult.size(); ++level) {
    const int64_t out = config.base_dim * config.dim_mult[level];
    for (int64_t i = 0; i < config.num_res_blocks; ++i) {
      blocks.push_back(std::make_unique<ResidualBlock>(next(), channels, out, slots));
      channels = out;
    }
    if (level + 1 < config.dim_mult.size()) {
      blocks.push_back(
          std::make_unique<Downsample>(next(), channels, in_time(config.temperal_downsample[level]), slots));
    }
  }
  return blocks;
}

Blocks up_path(const Scope& w, const VaeConfig& config, SlotCounter& slots) {
  Blocks blocks;
  const auto next = [&] { return w / blocks.size(); };
  const size_t levels = config.dim_mult.size();
  int64_t channels = config.base_dim * config.dim_mult.back();
  for (size_t level = 0; level < levels; ++level) {
    const int64_t out = config.base_dim * config.dim_mult[levels - 1 - level];
    for (int64_t i = 0; i <= config.num_res_blocks; ++i) {
      blocks.push_back(std::make_unique<ResidualBlock>(next(), channels, out, slots));
      channels = out;
    }
    if (level + 1 < levels) {
      const bool doubles_time = config.temperal_downsample[levels - 2 - level];
      blocks.push_back(std::make_unique<Upsample>(next(), channels, in_time(doubles_time), slots));
      channels /= 2;
    }
  }
  return blocks;
}

/// One half of the network: convolution in, blocks, middle (before or after them), norm and convolution out.
struct Half {
  SlotCounter slots;
  CausalConv3d conv_in;
  Blocks before, after;
  ChannelNorm norm;
  CausalConv3d conv_out;

  at::Tensor operator()(const at::Tensor& x, Stream* stream) const {
    if (stream) stream->slots.resize(slots.next);
    const at::Tensor y = conv_out(norm(run(after, run(before, conv_in(x, stream), stream), stream)), stream);
    if (stream) stream->first = false;
    return y;
  }
};

Half encoder_half(const Scope& w, const VaeConfig& config) {
  SlotCounter slots;
  const int64_t top = config.base_dim * config.dim_mult.back();
  CausalConv3d conv_in(w / "conv1", 3, config.base_dim, 3, 3, slots);
  Blocks down = down_path(w / "downsamples", config, slots);
  Blocks mid = middle(w / "middle", top, slots);
  ChannelNorm norm(w / "head.0", top, ops::AfterNorm::silu, ChannelNorm::Rank::video);
  CausalConv3d conv_out(w / "head.2", top, 2 * config.z_dim, 3, 3, slots);
  return {slots, conv_in, std::move(down), std::move(mid), norm, conv_out};
}

Half decoder_half(const Scope& w, const VaeConfig& config) {
  SlotCounter slots;
  const int64_t top = config.base_dim * config.dim_mult.back();
  const int64_t bottom = config.base_dim * config.dim_mult.front();
  CausalConv3d conv_in(w / "conv1", config.z_dim, top, 3, 3, slots);
  Blocks mid = middle(w / "middle", top, slots);
  Blocks up = up_path(w / "upsamples", config, slots);
  ChannelNorm norm(w / "head.0", bottom, ops::AfterNorm::silu, ChannelNorm::Rank::video);
  CausalConv3d conv_out(w / "head.2", bottom, 3, 3, 3, slots);
  return {slots, conv_in, std::move(mid), std::move(up), norm, conv_out};
}

CausalConv3d pointwise(const Scope& w, int64_t in, int64_t out) {
  SlotCounter none;
  return {w, in, out, 1, 1, none};
}

}  // namespace

struct Vae::Network {
  Half encoder, decoder;
  CausalConv3d conv1, conv2;
  at::ScalarType type;
  at::Tensor mean, std;  // [1, Z, 1, 1, 1]
};

Vae::Vae(const Scope& w, const VaeConfig& config) : config_(config) {
  config.validate();
  const auto statistic = [&](const std::vector<double>& values) {
    return at::tensor(values).to(at::kFloat).view({1, config.z_dim, 1, 1, 1}).to(w.compute().device);
  };
  network_ = std::make_unique<Network>(Network{encoder_half(w / "encoder", config), decoder_half(w / "decoder", config),
                                               pointwise(w / "conv1", 2 * config.z_dim, 2 * config.z_dim),
                                               pointwise(w / "conv2", config.z_dim, config.z_dim), w.compute().conv3d,
                                               statistic(config.latents_mean), statistic(config.latents_std)});
}

Vae::~Vae() = default;
Vae::Vae(Vae&&) noexcept = default;

// The published programs multiply by the float32 reciprocal on the way in and divide by it on the way out.
at::Tensor Vae::normalise(const at::Tensor& mean) const { return (mean - network_->mean) * network_->std.reciprocal(); }
at::Tensor Vae::denormalise(const at::Tensor& latents) const {
  return latents / network_->std.reciprocal() + network_->mean;
}

at::Tensor Vae::encode_chunk(const at::Tensor& video, Stream* stream) const {
  const at::Tensor x = video.to(network_->type, false, false, at::MemoryFormat::ChannelsLast3d);
  return network_->conv1(network_->encoder(x, stream), nullptr).to(at::kFloat);  // [B, 2Z, T', h, w]
}

at::Tensor Vae::decode_chunk(const at::Tensor& latents, Stream* stream) const {
  const at::Tensor x = latents.to(network_->type, false, false, at::MemoryFormat::ChannelsLast3d);
  return network_->decoder(network_->conv2(x, nullptr), stream).to(at::kFloat);  // [B, 3, T, H, W]
}

std::pair<at::Tensor, at::Tensor> Vae::encode_moments(const at::Tensor& video) const {
  const at::Tensor moments = encode_chunk(video, nullptr);
  return {moments.narrow(1, 0, config_.z_dim), moments.narrow(1, config_.z_dim, config_.z_dim)};
}

at::Tensor Vae::decode_moments(const at::Tensor& latents) const { return decode_chunk(latents, nullptr); }

at::Tensor Vae::encode(int64_t frames, const FrameSource& source, const Tiling& tiling) const {
  const int64_t group = config_.temporal_stride(), stride = config_.spatial_stride();
  require(frames >= 1 && frames % group == 1, ErrorKind::shape, "vae encode: expected ", group, "n+1 frames, found ",
          frames);
  std::vector<Stream> streams;
  std::vector<at::Tensor> latents;
  for (int64_t start = 0; start < frames; start += start == 0 ? 1 : group) {
    const at::Tensor chunk = source(start, start == 0 ? 1 : group);
    const auto [B, C, T, H, W] = dims<5>(chunk, "vae encode");
    require(C == 3 && H % stride == 0 && W % stride == 0, ErrorKind::shape,
            "vae encode: expected 3 channels and sides divisible by ", stride, ", found ", shape_text(chunk.sizes()));
    const TileGrid grid(H, W, tiling, stride, TileGrid::Output::latents);
    streams.resize(grid.size());
    latents.push_back(grid.run(chunk, [&](const at::Tensor& tile, size_t index) {
      return encode_chunk(tile, &streams[index]).narrow(1, 0, config_.z_dim);
    }));
  }
  return normalise(at::cat(latents, 2)).contiguous();
}

at::Tensor Vae::encode(const at::Tensor& video, const Tiling& tiling) const {
  const auto [B, C, T, H, W] = dims<5>(video, "vae encode");
  return encode(
      T, [&](int64_t start, int64_t count) { return video.narrow(2, start, count); }, tiling);
}

at::Tensor Vae::Encoding::next(const at::Tensor& frames) {
  const int64_t expected = state_ ? vae_->config_.temporal_stride() : 1;
  require_shape(frames, {-1, 3, expected, -1, -1}, "vae encoding");
  auto stream = state_ ? std::make_shared<Stream>(*state_) : std::make_shared<Stream>();
  const at::Tensor moments = vae_->encode_chunk(frames, stream.get());
  state_ = std::move(stream);
  return vae_->normalise(moments.narrow(1, 0, vae_->config_.z_dim));
}

void Vae::decode(const at::Tensor& latents, const FrameSink& sink, const Tiling& tiling) const {
  const auto [B, C, T, H, W] = dims<5>(latents, "vae decode");
  require(C == config_.z_dim, ErrorKind::shape, "vae decode: expected ", config_.z_dim, " latent channels, found ",
          shape_text(latents.sizes()));
  const int64_t stride = config_.spatial_stride();
  const TileGrid grid(H * stride, W * stride, tiling, stride, TileGrid::Output::pixels);
  std::vector<Stream> streams(grid.size());
  const at::Tensor z = denormalise(latents.to(at::kFloat));
  for (int64_t t = 0; t < T; ++t) {
    sink(grid.run(z.narrow(2, t, 1),
                  [&](const at::Tensor& tile, size_t index) { return decode_chunk(tile, &streams[index]); })
             .clamp(-1, 1));
  }
}

at::Tensor Vae::decode(const at::Tensor& latents, const Tiling& tiling) const {
  std::vector<at::Tensor> frames;
  decode(
      latents, [&](const at::Tensor& chunk) { frames.push_back(chunk); }, tiling);
  return at::cat(frames, 2);
}

}  // namespace keyflow::wan
