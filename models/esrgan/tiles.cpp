#include "models/esrgan/tiles.h"

#include <algorithm>

#include "core/shape.h"

namespace keyflow::esrgan {
namespace {

constexpr int64_t kRrdbMargin = 32;

int64_t rounded_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// One axis: tiles of nearly equal length whose borders lie on multiples of the unshuffle.
struct Cut {
  int64_t length, step;

  Cut(int64_t whole, int64_t tile, int64_t multiple) : length(whole) {
    const int64_t parts = tile > 0 ? (whole + tile - 1) / tile : 1;
    step = std::max(rounded_up((whole + parts - 1) / parts, multiple), multiple);
  }
  int64_t count() const { return (length + step - 1) / step; }
};

}  // namespace

Tiling tiling_for(const Config& config, int64_t tile) {
  const bool exact = config.kind == Kind::compact;
  return {tile, exact ? config.reach() : std::min(config.reach(), rounded_up(kRrdbMargin, config.unshuffle))};
}

int64_t count_tiles(int64_t height, int64_t width, const Config& config, const Tiling& tiling) {
  return Cut(height, tiling.tile, config.unshuffle).count() * Cut(width, tiling.tile, config.unshuffle).count();
}

void upscale_in_tiles(const Network& network, const at::Tensor& rgb, const Tiling& tiling, const TakeTile& take) {
  require_shape(rgb, {-1, 3, -1, -1}, "rgb");
  require(tiling.tile >= 0 && tiling.margin >= 0, ErrorKind::usage, "tiles: expected sizes from 0, found ", tiling.tile,
          " and a margin of ", tiling.margin);
  const int64_t multiple = network.config().unshuffle, scale = network.config().scale();
  const int64_t margin = rounded_up(tiling.margin, multiple);
  const Cut rows(rgb.size(2), tiling.tile, multiple), columns(rgb.size(3), tiling.tile, multiple);
  for (int64_t top = 0; top < rows.length; top += rows.step) {
    const int64_t bottom = std::min(top + rows.step, rows.length);
    const int64_t first = std::max<int64_t>(top - margin, 0), end = std::min(bottom + margin, rows.length);
    const at::Tensor band = rgb.narrow(2, first, end - first);  // [B, 3, h, W]
    for (int64_t left = 0; left < columns.length; left += columns.step) {
      const int64_t right = std::min(left + columns.step, columns.length);
      const int64_t begin = std::max<int64_t>(left - margin, 0), stop = std::min(right + margin, columns.length);
      const at::Tensor large = network(band.narrow(3, begin, stop - begin));
      take(large.narrow(2, scale * (top - first), scale * (bottom - top))
               .narrow(3, scale * (left - begin), scale * (right - left)),
           scale * top, scale * left);
    }
  }
}

}  // namespace keyflow::esrgan
