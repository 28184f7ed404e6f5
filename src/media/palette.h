#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace keyflow::media {

using Colour = std::array<int32_t, 3>;  ///< red, green, blue, 0 to 255

/// At most `limit` colours for `count` pixels: the colours themselves when they are that few, else by splitting the
/// box of the largest squared error at its mean, along its axis of largest variance.
///
/// pixels  three planes of `count` bytes
/// source  Heckbert 1982, "Color image quantization for frame buffer display"; variance-based split of Wan, Wong and
///         Prusinkiewicz 1988
std::vector<Colour> make_palette(const uint8_t* pixels, int64_t count, size_t limit);

/// Nearest entry of a palette by squared distance; answers are kept per 6-bit cell of colour space, unless the
/// palette is exact.
class NearestColour {
 public:
  explicit NearestColour(std::vector<Colour> palette);
  size_t operator()(const Colour& colour);
  const std::vector<Colour>& palette() const { return palette_; }

 private:
  size_t search(const Colour& colour) const;
  std::vector<Colour> palette_;
  std::vector<int16_t> cells_;
};

}  // namespace keyflow::media
