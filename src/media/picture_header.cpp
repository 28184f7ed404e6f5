#include "media/picture_header.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/error.h"
#include "media/bitmap_file.h"
#include "media/bytes.h"
#include "media/gif_file.h"
#include "media/jpeg_file.h"
#include "media/picture.h"
#include "media/png_file.h"
#include "media/webp_file.h"

namespace keyflow::media {
namespace {

using namespace std::string_view_literals;

struct Magic {
  size_t offset;
  std::string_view bytes;
  std::string_view name;
};

constexpr std::array kForeign = {
    Magic{0, "%PDF"sv, "a PDF document"},
    Magic{0, "II*\0"sv, "a TIFF picture"},
    Magic{0, "MM\0*"sv, "a TIFF picture"},
    Magic{4, "ftypavif"sv, "an AVIF picture"},
    Magic{4, "ftypheic"sv, "a HEIC picture"},
    Magic{4, "ftypmif1"sv, "a HEIF picture"},
    Magic{4, "ftyp"sv, "an MP4 or MOV video"},
    Magic{0, "\x1A\x45\xDF\xA3"sv, "a Matroska or WebM video"},
    Magic{0, "RIFF"sv, "a RIFF file (sound or video)"},
    Magic{0, "8BPS"sv, "a Photoshop picture"},
    Magic{0, "\xFF\x0A"sv, "a JPEG XL picture"},
    Magic{4, "JXL "sv, "a JPEG XL picture"},
    Magic{0, "\x76\x2F\x31\x01"sv, "an OpenEXR picture"},
    Magic{0, "PK\x03\x04"sv, "a zip archive"},
    Magic{0, "GGUF"sv, "a GGUF file"},
    Magic{0, "version https://git-lfs"sv, "a Git LFS pointer (the file itself was not downloaded)"},
};

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

bool is_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 || byte == '\n' || byte == '\r' || byte == '\t';
  });
}

}  // namespace

std::string_view name_of(PictureFormat format) {
  switch (format) {
    case PictureFormat::png:
      return "PNG";
    case PictureFormat::jpeg:
      return "JPEG";
    case PictureFormat::webp:
      return "WebP";
    case PictureFormat::gif:
      return "GIF";
    case PictureFormat::bmp:
      return "BMP";
    case PictureFormat::tga:
      return "TGA";
  }
  return "picture";
}

std::optional<PictureFormat> sniff_picture(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1A\n"sv)) return PictureFormat::png;
  if (bytes.starts_with("\xFF\xD8\xFF"sv)) return PictureFormat::jpeg;
  if (bytes.starts_with("GIF87a"sv) || bytes.starts_with("GIF89a"sv)) return PictureFormat::gif;
  if (bytes.size() >= 12 && bytes.starts_with("RIFF"sv) && bytes.substr(8, 4) == "WEBP"sv) return PictureFormat::webp;
  if (looks_like_bmp(bytes)) return PictureFormat::bmp;
  if (looks_like_tga(bytes)) return PictureFormat::tga;
  return std::nullopt;
}

std::string describe_foreign(std::string_view bytes) {
  if (bytes.empty()) return "an empty file";
  for (const Magic& magic : kForeign) {
    if (bytes.size() > magic.offset && bytes.substr(magic.offset).starts_with(magic.bytes)) {
      return std::string(magic.name);
    }
  }
  const std::string_view head = bytes.substr(0, 512);
  if (!is_text(head)) return "unknown data that begins with \"" + printable(bytes.substr(0, 8)) + "\"";
  const std::string_view word = head.substr(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  if (starts_with_word(word, "<!doctype html") || starts_with_word(word, "<html")) return "an HTML page";
  if (head.find("<svg") != std::string_view::npos) return "an SVG drawing";
  return "text";
}

PictureHeader scan_picture(std::string_view bytes, const std::string& where) {
  const auto format = sniff_picture(bytes);
  require(format.has_value(), ErrorKind::io, where, ": expected a PNG, JPEG, WebP, GIF, BMP or TGA picture, found ",
          describe_foreign(bytes));
  PictureHeader header;
  switch (*format) {
    case PictureFormat::png:
      header = scan_png(bytes, where);
      break;
    case PictureFormat::jpeg:
      header = scan_jpeg(bytes, where);
      break;
    case PictureFormat::webp:
      header = scan_webp(bytes, where);
      break;
    case PictureFormat::gif:
      header = scan_gif(bytes, where);
      break;
    case PictureFormat::bmp:
      header = scan_bmp(bytes, where);
      break;
    case PictureFormat::tga:
      header = scan_tga(bytes, where);
      break;
  }
  header.format = *format;
  return header;
}

void require_picture_size(int64_t width, int64_t height, const std::string& where) {
  require(width > 0 && height > 0, ErrorKind::io, where, ": expected a picture of at least 1x1, found ", width, "x",
          height);
  require(width <= kMaxSide && height <= kMaxSide && width * height <= kMaxPixels, ErrorKind::io, where,
          ": expected sides up to ", kMaxSide, " and at most ", kMaxPixels, " pixels, found ", width, "x", height);
}

}  // namespace keyflow::media
