#pragma once
#include <string>
#include <string_view>

// EXIF blocks, which are small TIFF files: byte order, then directories of tags.
namespace keyflow::media {

/// Tag 0x0112 of the first directory; 1 when it is absent, out of 1 to 8 or the block is damaged.
int exif_orientation(std::string_view tiff);

/// Tag 0x010E (image description) of the first directory, "" when it is absent or the block is damaged.
std::string exif_description(std::string_view tiff);

/// A block with a description and nothing else.
std::string make_exif(std::string_view description);

}  // namespace keyflow::media
