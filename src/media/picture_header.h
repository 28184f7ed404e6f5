#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keyflow::media {

enum class PictureFormat { png, jpeg, webp, gif, bmp, tga };

/// "PNG", "JPEG", ...
std::string_view name_of(PictureFormat format);

/// What a picture file says about itself, after the whole container has been walked.
struct PictureHeader {
  PictureFormat format = PictureFormat::png;
  int64_t width = 0;
  int64_t height = 0;
  int64_t frames = 1;
  bool animated = false;  ///< an animation, even if of one frame
  int orientation = 1;    ///< EXIF, 1 to 8
  std::string settings;   ///< the text in the place where keyflow puts its settings, "" if none
};

/// The format by its first bytes (TGA: by its whole header), nothing if it is none of them.
std::optional<PictureFormat> sniff_picture(std::string_view bytes);

/// Words for bytes that are no picture: "a PDF document", "text", "an empty file", ...
std::string describe_foreign(std::string_view bytes);

/// Walks the container to its end marker: lengths, checksums, sizes, orientation, settings.
/// Throws Error::io with `where` and the offset, before anything of the picture's size is allocated.
PictureHeader scan_picture(std::string_view bytes, const std::string& where);

/// Throws Error::io unless 1 <= sides <= kMaxSide and the area is within kMaxPixels.
void require_picture_size(int64_t width, int64_t height, const std::string& where);

}  // namespace keyflow::media
