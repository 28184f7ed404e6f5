#include "pipeline/upscaler.h"

#include <ATen/ops/empty.h>
#include <c10/util/accumulate.h>

#include <array>
#include <charconv>

#include "core/error.h"
#include "core/memory.h"
#include "core/shape.h"
#include "media/picture.h"
#include "models/esrgan/load.h"
#include "pipeline/memory_estimate.h"
#include "pipeline/precision.h"
#include "weights/hash.h"

namespace keyflow::pipeline {
namespace {

constexpr std::array<int64_t, 7> kTiles{512, 384, 256, 192, 128, 64, 32};
constexpr int64_t kUsualRrdbTile = 256, kLeastTile = 32, kMostTile = 65536;
constexpr double kShare = 0.8;  // of the available bytes: the rest is for the pictures and their encoder

/// Bytes of a pixel of the padded tile at work, fitted to measured peaks: the tensors that are alive together, in units
/// of one of all features, with the convolutions' scratch.
double bytes_of_pixel(const esrgan::Config& config, const Compute& compute) {
  const auto element = static_cast<double>(c10::elementSize(compute.conv2d));
  const auto features = static_cast<double>(config.features), scale = static_cast<double>(config.scale());
  const double pictures = 3 * 4 * (4 + 3 * scale * scale);
  if (config.kind == esrgan::Kind::compact) return features * (3 * element + 8) + pictures;
  const double low = 2 * (features + 4 * static_cast<double>(config.growth)) * element + 4 * features * 4;
  return low / static_cast<double>(config.unshuffle * config.unshuffle) + scale * scale * features * (3 * element + 8) +
         pictures;
}

weights::Plan plan_of(const esrgan::Config& config) {
  return weights::record([&](const weights::Scope& w) { esrgan::Network(w, config); });
}

}  // namespace

UpscalerModel open_upscaler(const std::filesystem::path& path) {
  UpscalerModel model;
  const std::shared_ptr<weights::TensorFile> file = weights::open_tensors(path);
  const esrgan::Contents contents = esrgan::contents_of(*file);
  model.config = contents.config;
  model.variant = esrgan::variant_of(contents.config);
  weights::Plan plan = plan_of(contents.config);
  plan.require_match(*file, model.variant, contents.keys.rename());
  model.network.part.file = file;
  model.network.plan = std::move(plan);
  model.network.rename = contents.keys.rename();
  model.hash = weights::model_hash(*file);
  return model;
}

uint64_t upscale_bytes(const esrgan::Config& config, const Compute& compute, int64_t height, int64_t width,
                       int64_t tile) {
  const int64_t margin = 2 * esrgan::tiling_for(config, tile).margin;
  const auto side = [&](int64_t whole) {
    return static_cast<double>(tile > 0 && tile + margin < whole ? tile + margin : whole);
  };
  // The kernels read their own copy of the weights.
  const weights::Plan plan = plan_of(config);
  double weights = 0;
  for (const auto& [name, shape] : plan.entries()) {
    weights +=
        static_cast<double>(c10::multiply_integers(shape)) * static_cast<double>(c10::elementSize(compute.conv2d));
  }
  return static_cast<uint64_t>(std::min(side(height) * side(width) * bytes_of_pixel(config, compute) + weights, 9e18));
}

int64_t upscale_tile(const std::string& text, const esrgan::Config& config, const Compute& compute,
                     uint64_t available) {
  if (text == "off") return 0;
  if (text != "auto") {
    int64_t tile = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), tile);
    require(code == std::errc() && end == text.data() + text.size() && tile >= kLeastTile && tile <= kMostTile,
            ErrorKind::usage, "upscale: tile: expected auto, off or a whole number from ", kLeastTile, " to ",
            kMostTile, ", found \"", printable(text), "\"");
    return tile;
  }
  const int64_t usual = config.kind == esrgan::Kind::compact ? kTiles.front() : kUsualRrdbTile;
  for (const int64_t tile : kTiles) {
    const auto bytes = static_cast<double>(upscale_bytes(config, compute, kMostTile, kMostTile, tile));
    if (tile <= usual && bytes < kShare * static_cast<double>(available)) return tile;
  }
  return kTiles.back();
}

Upscaler::Upscaler(UpscalerModel model, const Compute& compute, const Options& options, Observer& observer)
    : model_(std::move(model)),
      repeats_(options.repeats),
      tiling_(esrgan::tiling_for(model_.config, options.tile)),
      observer_(observer) {
  require(repeats_ >= 1 && options.tile >= 0, ErrorKind::usage,
          "upscale: expected 1 pass or more and a tile from 0, found ", repeats_, " and ", options.tile);
  for (int64_t i = 0; i < repeats_; ++i) scale_ *= model_.config.scale();
  load(compute);
}

void Upscaler::load(const Compute& compute) {
  compute_ = compute;
  network_.emplace(esrgan::load(model_.network.file(), compute));
}

int64_t Upscaler::tiles(int64_t height, int64_t width) const {
  int64_t sum = 0;
  for (int64_t i = 0, factor = 1; i < repeats_; ++i, factor *= model_.config.scale()) {
    sum += esrgan::count_tiles(height * factor, width * factor, model_.config, tiling_);
  }
  return sum;
}

at::Tensor Upscaler::pass(const at::Tensor& rgb, const std::function<void()>& done) const {
  const int64_t scale = model_.config.scale();
  at::Tensor large = at::empty({3, scale * rgb.size(1), scale * rgb.size(2)}, at::kByte);  // [3, H, W]
  const auto take = [&](const at::Tensor& tile, int64_t top, int64_t left) {
    require_finite(tile, "upscale");
    large.narrow(1, top, tile.size(2))
        .narrow(2, left, tile.size(3))
        .copy_(tile[0].clamp(0, 1).mul_(255).add_(0.5).to(at::kByte));
    if (done) done();
    if (observer_.wants_stop()) fail(ErrorKind::interrupted, "stopped in the phase upscale");
  };
  esrgan::upscale_in_tiles(*network_, rgb.unsqueeze(0).to(at::kFloat).div_(255), tiling_, take);
  return large;
}

at::Tensor Upscaler::operator()(const at::Tensor& rgb, const std::function<void()>& done) {
  require_shape(rgb, {3, -1, -1}, "rgb");
  require(rgb.scalar_type() == at::kByte && rgb.numel() > 0, ErrorKind::shape, "rgb: expected uint8 [3, H, W], found ",
          dtype_name(rgb.scalar_type()), " ", shape_text(rgb.sizes()));
  // Once a picture has left the range of a half type, all later ones are computed in fp32.
  const auto attempt = [&](const Compute& compute) {
    if (to_text(compute) != to_text(compute_)) load(compute);
    at::Tensor large = rgb;
    for (int64_t i = 0; i < repeats_; ++i) large = pass(large, done);
    return large;
  };
  const Compute first = compute_;
  return with_fallback(first, model_.network, "upscale", observer_, "", attempt);
}

void plan_upscaler(RenderPlan& plan) {
  RenderSettings& settings = plan.settings;
  if (settings.upscale.empty()) {
    if (settings.upscale_tile == "auto") settings.upscale_tile = "off";
    return;
  }
  const auto model = std::make_shared<UpscalerModel>(open_upscaler(settings.upscale));
  const uint64_t available = available_bytes();
  plan.upscaler = model;
  plan.upscale_tile = upscale_tile(settings.upscale_tile, model->config, plan.compute, available);
  if (settings.upscale_tile == "auto") settings.origins["upscale_tile"] = Origin::model;
  settings.upscale_tile = plan.upscale_tile == 0 ? "off" : std::to_string(plan.upscale_tile);
  int64_t factor = 1;
  for (int64_t i = 1; i < settings.upscale_repeats; ++i) factor *= model->config.scale();
  const int64_t height = settings.height * factor, width = settings.width * factor, scale = model->config.scale();
  require(scale * height <= media::kMaxSide && scale * width <= media::kMaxSide &&
              scale * height * scale * width <= media::kMaxPixels,
          ErrorKind::usage, "upscale: ", settings.width, "x", settings.height, " enlarged ", factor * scale,
          " times: expected sides up to ", media::kMaxSide, " and at most ", media::kMaxPixels, " pixels");
  // The frame in floats, the results of the last two passes and the encoder's copy, in bytes.
  const auto pictures = static_cast<uint64_t>(height * width * (12 + 3 + 6 * scale * scale));
  plan.estimate.decode += upscale_bytes(model->config, plan.compute, height, width, plan.upscale_tile) + pictures;
  require_memory(plan.estimate, settings, available);
}

std::shared_ptr<Upscaler> make_upscaler(const RenderPlan& plan, Observer& observer) {
  if (!plan.upscaler) return nullptr;
  return std::make_shared<Upscaler>(
      *plan.upscaler, plan.compute,
      Upscaler::Options{.repeats = plan.settings.upscale_repeats, .tile = plan.upscale_tile}, observer);
}

}  // namespace keyflow::pipeline
