#include "models/wan/vae_tiles.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

#include "core/error.h"

namespace keyflow::wan {
namespace {

/// The first `overlap` positions of `tile` along `dim` fade in over the last ones of its neighbour.
at::Tensor blend(const at::Tensor& neighbour, const at::Tensor& tile, int64_t dim, int64_t overlap) {
  const int64_t n = std::min({overlap, neighbour.size(dim), tile.size(dim)});
  std::vector<int64_t> shape(5, 1);
  shape[static_cast<size_t>(dim)] = n;
  const at::Tensor weight = at::arange(n, tile.options()).div(static_cast<double>(n)).view(shape);
  const at::Tensor tail = neighbour.narrow(dim, neighbour.size(dim) - n, n);
  const at::Tensor mixed = tail * (1 - weight) + tile.narrow(dim, 0, n) * weight;
  return at::cat({mixed, tile.narrow(dim, n, tile.size(dim) - n)}, dim);
}

}  // namespace

TileGrid::TileGrid(int64_t height, int64_t width, const Tiling& tiling, int64_t stride, Output output) {
  const bool whole = tiling.tile == 0 || (height <= tiling.tile && width <= tiling.tile);
  const int64_t step = tiling.tile - tiling.overlap;
  require(whole || (tiling.overlap >= 0 && step >= stride && tiling.tile % stride == 0 && step % stride == 0),
          ErrorKind::usage, "tiles of ", tiling.tile, " pixels overlapping by ", tiling.overlap,
          ": expected multiples of ", stride, " and an overlap smaller than the tile");
  const int64_t tile_px = whole ? std::max(height, width) : tiling.tile, step_px = whole ? tile_px : step;
  rows_ = (height + step_px - 1) / step_px;
  columns_ = (width + step_px - 1) / step_px;
  const int64_t in_unit = output == Output::latents ? 1 : stride, out_unit = output == Output::latents ? stride : 1;
  in_tile_ = tile_px / in_unit, in_step_ = step_px / in_unit;
  out_tile_ = tile_px / out_unit, out_step_ = step_px / out_unit;
  out_height_ = height / out_unit, out_width_ = width / out_unit;
}

at::Tensor TileGrid::run(const at::Tensor& x,
                         const std::function<at::Tensor(const at::Tensor&, size_t)>& network) const {
  if (size() == 1) return network(x, 0);
  const int64_t overlap = out_tile_ - out_step_;
  std::vector<at::Tensor> above, bands;
  for (int64_t row = 0; row < rows_; ++row) {
    std::vector<at::Tensor> tiles, cropped;
    for (int64_t column = 0; column < columns_; ++column) {
      const int64_t y = row * in_step_, left = column * in_step_;
      const at::Tensor in =
          x.narrow(3, y, std::min(in_tile_, x.size(3) - y)).narrow(4, left, std::min(in_tile_, x.size(4) - left));
      at::Tensor out = network(in, static_cast<size_t>(row * columns_ + column));
      if (row > 0) out = blend(above[static_cast<size_t>(column)], out, 3, overlap);
      if (column > 0) out = blend(tiles.back(), out, 4, overlap);
      tiles.push_back(out);
      cropped.push_back(
          out.narrow(3, 0, std::min(out_step_, out.size(3))).narrow(4, 0, std::min(out_step_, out.size(4))));
    }
    bands.push_back(at::cat(cropped, 4));
    above = std::move(tiles);
  }
  return at::cat(bands, 3).narrow(3, 0, out_height_).narrow(4, 0, out_width_);
}

}  // namespace keyflow::wan
