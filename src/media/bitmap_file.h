#pragma once
#include <string>
#include <string_view>

#include "media/picture_header.h"

// BMP and TGA, which have a header and pixels but neither checksums nor a reliable magic.
namespace keyflow::media {

bool looks_like_bmp(std::string_view bytes);

/// TGA has no magic: every field of the header must make sense.
bool looks_like_tga(std::string_view bytes);

PictureHeader scan_bmp(std::string_view bytes, const std::string& where);
PictureHeader scan_tga(std::string_view bytes, const std::string& where);

/// A copy whose size field is right: FFmpeg refuses files that left it empty, as some programs do.
std::string bmp_with_true_size(std::string_view bytes);

}  // namespace keyflow::media
