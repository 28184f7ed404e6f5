#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "media/palette.h"

namespace keyflow::media {

/// Part of the canvas, in pixels.
struct Rectangle {
  int64_t left, top, width, height;
};

/// Signature, screen without a global palette, endless loop (for animations), comment ("" for none).
std::string make_gif_head(int64_t width, int64_t height, bool is_animation, std::string_view comment);

/// One frame with its own palette, drawn over what is there.
///
/// indices     one byte a pixel of the rectangle, row by row; kGifTransparent lets the canvas show
/// palette     at most 255 colours
/// delay_cs    hundredths of a second
std::string make_gif_frame(const Rectangle& place, const std::vector<uint8_t>& indices,
                           const std::vector<Colour>& palette, int delay_cs);

inline constexpr uint8_t kGifTransparent = 255;

/// The byte that ends a GIF file.
inline constexpr char kGifTrailer = 0x3B;

/// GIF's variant of LZW over 8-bit indices, cut into sub-blocks, with the minimum code size in front.
/// source  GIF89a specification, appendix F
std::string gif_lzw(const std::vector<uint8_t>& indices);

}  // namespace keyflow::media
