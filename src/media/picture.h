#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace keyflow::media {

/// Bounds of every picture and frame, read from the header and checked before anything is decoded.
inline constexpr int64_t kMaxPixels = int64_t{1} << 27;
inline constexpr int64_t kMaxSide = 65535;

struct Picture {
  at::Tensor rgb;            ///< [3, H, W] uint8
  std::string note;          ///< what was left out, for the user: "first of 12 frames", else ""
  bool transparent = false;  ///< some of it was, and is composited
};

/// Reads a PNG, JPEG, BMP, TGA, WebP or GIF file; the type is told by the content, never by the name.
///
/// result  [3, H, W] uint8. Grey and palette become RGB, 16 bits keep the high byte, CMYK is converted, alpha is
///         composited on white, EXIF orientation 2 to 8 is undone (any other value counts as 1). Colour profiles are
///         ignored. Of an animation the first frame is taken, which `note` says.
/// throws  Error::io with file, offset and sizes: not a picture (what it is instead), damaged, cut short, a header
///         that promises more than the file holds, more than kMaxPixels or a side above kMaxSide; Error::unsupported
Picture read_picture(const std::filesystem::path& path);

/// read_picture for bytes that are in memory; `where` stands for the file in messages.
Picture decode_picture(std::string_view bytes, const std::string& where);

/// Writes an RGB PNG atomically. The settings go into an iTXt chunk named "keyflow"; "" writes none.
/// The same picture and settings give the same bytes.
///
/// rgb     [3, H, W] uint8
/// throws  Error::shape, Error::io
void write_png(const std::filesystem::path& path, const at::Tensor& rgb, const std::string& settings_json = {});

}  // namespace keyflow::media
