#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <string_view>

#include "media/picture_header.h"
#include "media/video_reader.h"

namespace keyflow::media {

PictureHeader scan_webp(std::string_view bytes, const std::string& where);

/// [H, W, 4] uint8 of a file that scan_webp has accepted: the picture, or the first frame of an animation.
at::Tensor decode_webp(std::string_view bytes, const PictureHeader& header, const std::string& where);

/// Frames of a WebP file, still or animated.
std::unique_ptr<VideoReader> open_webp_video(std::string bytes, const std::string& where);

/// A WebP file with the settings as its EXIF description; `webp` unchanged for "".
std::string with_webp_settings(const std::string& webp, const std::string& settings_json);

}  // namespace keyflow::media
