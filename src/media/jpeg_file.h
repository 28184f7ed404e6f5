#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

#include "media/picture_header.h"

namespace keyflow::media {

PictureHeader scan_jpeg(std::string_view bytes, const std::string& where);

/// [H, W, 3] uint8 of a file that scan_jpeg has accepted, equal to Pillow's where both use libjpeg-turbo. Four
/// components are taken as inverted CMYK, as Adobe writes them and Pillow assumes.
at::Tensor decode_jpeg(std::string_view bytes, const PictureHeader& header, const std::string& where);

/// A whole JPEG file of [3, H, W] uint8: quality 95, no chroma subsampling, the settings in comment segments.
std::string encode_jpeg(const at::Tensor& rgb, const std::string& settings_json);

}  // namespace keyflow::media
