#include "media/picture.h"

extern "C" {
#include <libavcodec/codec_id.h>
}

#include "core/files.h"
#include "core/shape.h"
#include "media/bitmap_file.h"
#include "media/compose.h"
#include "media/jpeg_file.h"
#include "media/libav.h"
#include "media/picture_header.h"
#include "media/png_file.h"
#include "media/settings.h"
#include "media/webp_file.h"

namespace keyflow::media {
namespace {

// Eight bytes a pixel is the most any of the formats needs; the rest is room for metadata.
constexpr uint64_t kMaxFileBytes = 8 * uint64_t{kMaxPixels} + (uint64_t{1} << 26);

/// rgb [3, H, W] of [H, W, 3 or 4]
Picture composed(const at::Tensor& pixels) {
  const bool transparent = pixels.size(2) == 4 && pixels.select(2, 3).min().item<int64_t>() < 255;
  return {compose_on_white(pixels), "", transparent};
}

Picture decode(std::string_view bytes, const PictureHeader& header, const std::string& where) {
  switch (header.format) {
    case PictureFormat::png:
      return composed(decode_png(bytes, header, where));
    case PictureFormat::jpeg:
      return composed(decode_jpeg(bytes, header, where));
    case PictureFormat::webp:
      return composed(decode_webp(bytes, header, where));
    case PictureFormat::gif:
      return {decode_still(AV_CODEC_ID_GIF, bytes, where), "", false};
    case PictureFormat::bmp:
      return {decode_still(AV_CODEC_ID_BMP, bmp_with_true_size(bytes), where), "", false};
    case PictureFormat::tga:
      return {decode_still(AV_CODEC_ID_TARGA, bytes, where), "", false};
  }
  fail(ErrorKind::internal, where, ": no decoder");
}

}  // namespace

Picture decode_picture(std::string_view bytes, const std::string& where) {
  const PictureHeader header = scan_picture(bytes, where);
  const auto [rgb, none, transparent] = decode(bytes, header, where);
  require(rgb.size(1) == header.height && rgb.size(2) == header.width, ErrorKind::io, where, ": expected ",
          header.width, "x", header.height, " as the header says, found ", rgb.size(2), "x", rgb.size(1));
  const bool more = header.animated && header.frames > 1;
  return {upright(rgb, header.orientation), more ? c10::str("first of ", header.frames, " frames") : std::string(),
          transparent};
}

Picture read_picture(const std::filesystem::path& path) {
  return decode_picture(read_file(path, kMaxFileBytes), printable(path.string(), 400));
}

void write_png(const std::filesystem::path& path, const at::Tensor& rgb, const std::string& settings_json) {
  require_settings_size(settings_json, printable(path.string(), 400));
  write_file(path, encode_png(rgb, settings_json));
}

}  // namespace keyflow::media
