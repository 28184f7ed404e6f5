#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <vector>

#include "media/picture_header.h"

namespace keyflow::media {

struct PngChunk {
  std::string_view type;  ///< four letters
  std::string_view data;
  size_t offset = 0;  ///< of the chunk in the file
};

/// The chunks up to and including IEND, each with a good checksum. Throws Error::io.
std::vector<PngChunk> png_chunks(std::string_view bytes, const std::string& where);

/// One chunk with length and checksum.
std::string make_png_chunk(std::string_view type, std::string_view data);

/// An iTXt chunk with the keyword "keyflow", "" for no settings.
std::string make_png_settings(const std::string& settings_json);

/// Signature that begins every PNG file.
std::string_view png_signature();

PictureHeader scan_png(std::string_view bytes, const std::string& where);

/// [H, W, 3 or 4] uint8 of a file that scan_png has accepted. Of the chunks only those that carry the picture reach
/// libpng: compressed texts and profiles could unpack to any size.
at::Tensor decode_png(std::string_view bytes, const PictureHeader& header, const std::string& where);

/// A whole PNG file: [3, H, W] uint8 as 8-bit RGB, with the settings.
std::string encode_png(const at::Tensor& rgb, const std::string& settings_json);

}  // namespace keyflow::media
