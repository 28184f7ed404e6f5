#include "models/esrgan/config.h"

#include <cmath>

#include "core/error.h"
#include "weights/shape_finder.h"

namespace keyflow::esrgan {
namespace {

constexpr int64_t kMostDoublings = 4;

/// n where n * n is `area`, 0 where there is none.
int64_t root_of(int64_t area) {
  const auto root = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(area))));
  return root * root == area ? root : 0;
}

/// The edge of the square of pixels that `channels` hold, all three colours of each.
int64_t edge_of(int64_t channels, const char* what) {
  const int64_t edge = channels % 3 == 0 ? root_of(channels / 3) : 0;
  require(edge > 0, ErrorKind::weights, "upscaler: ", what, ": expected 3 colours of a square of pixels, found ",
          channels, " channels");
  return edge;
}

Config rrdb_config(const weights::ShapeFinder& find, const Keys& keys) {
  Config config;
  const auto& first = find.get("conv_first.weight", 4);
  config.features = first[0];
  config.unshuffle = edge_of(first[1], "conv_first.weight");
  if (keys.spelling == Keys::Spelling::ncnn) {
    // Numbers go on behind the blocks, so that asking for one more block would find the layers that follow.
    config.blocks = keys.blocks;
    config.doublings = keys.doublings;
  } else {
    config.blocks = find.count_blocks("body", {"rdb1.conv1.weight", "rdb2.conv1.weight", "rdb3.conv5.weight"});
    config.doublings = 0;
    while (find.has(c10::str("conv_up", config.doublings + 1, ".weight"))) ++config.doublings;
  }
  require(config.blocks > 0 && config.doublings <= kMostDoublings, ErrorKind::weights,
          "upscaler: expected blocks of 15 convolutions and at most ", kMostDoublings, " doublings, found ",
          config.blocks, " and ", config.doublings);
  config.growth = find.get("body.0.rdb1.conv1.weight", 4)[0];
  const int64_t colours = find.get("conv_last.weight", 4)[0];
  require(colours == 3, ErrorKind::weights, "upscaler: conv_last.weight: expected 3 colours, found ", colours);
  return config;
}

Config compact_config(const weights::ShapeFinder& find) {
  Config config;
  config.kind = Kind::compact;
  config.features = find.get("body.0.weight", 4)[0];
  int64_t convolutions = 0;
  while (find.has(c10::str("body.", 2 * convolutions, ".weight"))) ++convolutions;
  require(convolutions >= 2, ErrorKind::weights, "upscaler: expected at least 2 convolutions, found ", convolutions);
  config.blocks = convolutions - 2;
  config.shuffle =
      edge_of(find.get(c10::str("body.", 2 * (convolutions - 1), ".weight"), 4)[0], "the last convolution");
  return config;
}

struct Published {
  const char* name;
  Kind kind;
  int64_t blocks, scale;
};
// The weights of one network differ by what they were trained on, which no shape shows: one name stands for all.
constexpr Published kPublished[] = {{"RealESRGAN x4plus", Kind::rrdb, 23, 4},
                                    {"RealESRGAN x2plus", Kind::rrdb, 23, 2},
                                    {"RealESRGAN x4plus anime 6B", Kind::rrdb, 6, 4},
                                    {"realesr-animevideov3", Kind::compact, 16, 4},
                                    {"realesr-general-x4v3", Kind::compact, 32, 4}};

}  // namespace

int64_t Config::scale() const { return kind == Kind::compact ? shuffle : (int64_t{1} << doublings) / unshuffle; }

int64_t Config::reach() const {
  if (kind == Kind::compact) return blocks + 2;
  // Behind the doublings a convolution reaches half a pixel and less: two at most, one more for the rounding.
  return unshuffle * (15 * blocks + 2 + 3);
}

void Config::validate() const {
  const auto in_range = [](const char* name, int64_t value, int64_t least, int64_t most) {
    require(value >= least && value <= most, ErrorKind::config, "upscaler: ", name, ": expected ", least, " to ", most,
            ", found ", value);
  };
  in_range("features", features, 1, 1 << 16);
  in_range("blocks", blocks, kind == Kind::compact ? 0 : 1, 1000);
  if (kind == Kind::compact) return in_range("scale", shuffle, 1, 16);
  in_range("growth", growth, 1, 1 << 16);
  in_range("doublings", doublings, 0, kMostDoublings);
  in_range("unshuffle", unshuffle, 1, 16);
  require((int64_t{1} << doublings) % unshuffle == 0, ErrorKind::config, "upscaler: ", doublings,
          " doublings behind an unshuffle by ", unshuffle, ": expected a whole scale");
}

Config config_from_tensors(const std::vector<weights::TensorInfo>& tensors, const Keys& keys) {
  const weights::ShapeFinder find(tensors, keys.rename(), "upscaler");
  Config config = keys.kind == Kind::compact ? compact_config(find) : rrdb_config(find, keys);
  config.validate();
  return config;
}

std::string variant_of(const Config& config) {
  const bool compact = config.kind == Kind::compact;
  const Config usual;
  const bool plain = config.features == usual.features && (compact || config.growth == usual.growth);
  for (const auto& published : kPublished) {
    if (plain && published.kind == config.kind && published.blocks == config.blocks &&
        published.scale == config.scale() && (compact || config.doublings == usual.doublings)) {
      return published.name;
    }
  }
  return c10::str(compact ? "SRVGG" : "RRDB", " x", config.scale(), " of ", config.features, " features, ",
                  config.blocks, compact ? " convolutions" : " blocks");
}

}  // namespace keyflow::esrgan
