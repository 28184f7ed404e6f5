#pragma once
#include <string>
#include <string_view>

#include "media/picture_header.h"

namespace keyflow::media {

/// Walks the blocks to the trailer, counting frames; the first comment is the settings text.
PictureHeader scan_gif(std::string_view bytes, const std::string& where);

}  // namespace keyflow::media
