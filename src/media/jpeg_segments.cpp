#include "core/error.h"
#include "media/bytes.h"
#include "media/exif.h"
#include "media/jpeg_file.h"

namespace keyflow::media {
namespace {

using namespace std::string_view_literals;

constexpr uint32_t kSof0 = 0xC0, kHuffmanTables = 0xC4, kExtension = 0xC8, kArithmetic = 0xCC;
constexpr uint32_t kRst0 = 0xD0, kEoi = 0xD9, kSos = 0xDA, kApp1 = 0xE1, kComment = 0xFE;
// Each scan walks the whole picture again; real progressive files have about ten.
constexpr int kMaxScans = 200;

bool is_frame_header(uint32_t marker) {
  return marker >= kSof0 && marker <= 0xCF && marker != kHuffmanTables && marker != kExtension && marker != kArithmetic;
}

void read_frame_header(std::string_view data, uint32_t marker, size_t at, PictureHeader& header,
                       const std::string& where) {
  require(data.size() >= 6, ErrorKind::io, where, ": offset ", at, ": expected a frame header, found ", data.size(),
          " bytes");
  require(marker <= 0xC2, ErrorKind::unsupported, where, ": offset ", at,
          ": expected a baseline or progressive JPEG, found ",
          marker <= 0xC7 ? "a lossless or hierarchical" : "an arithmetic-coded", " one");
  require(byte_at(data, 0) == 8, ErrorKind::unsupported, where, ": offset ", at, ": expected 8 bits a sample, found ",
          byte_at(data, 0));
  require(header.width == 0, ErrorKind::io, where, ": offset ", at, ": a second frame header");
  header.height = be16(data, 1);
  header.width = be16(data, 3);
  require_picture_size(header.width, header.height, where);
}

/// Position of the first marker in entropy-coded data that starts at `at`; the end of the bytes if there is none.
size_t skip_scan(std::string_view bytes, size_t at) {
  for (; at + 1 < bytes.size(); ++at) {
    if (byte_at(bytes, at) != 0xFF) continue;
    const uint32_t next = byte_at(bytes, at + 1);
    const bool inside = next == 0 || next == 0xFF || (next >= kRst0 && next < kRst0 + 8);
    if (!inside) return at;
  }
  return bytes.size();
}

}  // namespace

PictureHeader scan_jpeg(std::string_view bytes, const std::string& where) {
  PictureHeader header;
  int scans = 0;
  bool exif_seen = false;
  for (size_t at = 2;;) {
    require(at + 2 <= bytes.size(), ErrorKind::io, where, ": offset ", bytes.size(),
            ": the file is cut short: expected the JPEG end marker");
    require(byte_at(bytes, at) == 0xFF, ErrorKind::io, where, ": offset ", at, ": expected a JPEG marker, found byte ",
            byte_at(bytes, at));
    const uint32_t marker = byte_at(bytes, at + 1);
    if (marker == 0xFF) {
      ++at;
      continue;
    }
    if (marker == kEoi) break;
    require(at + 4 <= bytes.size(), ErrorKind::io, where, ": offset ", at, ": the file is cut short");
    const size_t length = be16(bytes, at + 2);
    require(length >= 2 && length <= bytes.size() - at - 2, ErrorKind::io, where, ": offset ", at,
            ": the file is cut short: a segment has ", length, " bytes, the file ends after ", bytes.size() - at - 2);
    const std::string_view data = bytes.substr(at + 4, length - 2);
    if (is_frame_header(marker)) read_frame_header(data, marker, at, header, where);
    if (marker == kApp1 && data.starts_with("Exif\0\0"sv) && !exif_seen) {
      header.orientation = exif_orientation(data.substr(6));
      exif_seen = true;
    }
    if (marker == kComment) header.settings += data;
    at += 2 + length;
    if (marker == kSos) {
      require(++scans <= kMaxScans, ErrorKind::io, where, ": offset ", at, ": expected at most ", kMaxScans, " scans");
      at = skip_scan(bytes, at);
    }
  }
  require(header.width > 0 && scans > 0, ErrorKind::io, where, ": expected a JPEG picture, found no ",
          header.width > 0 ? "scan" : "frame header");
  // A block of 64 samples takes at least two bits a component, whatever the picture; chroma has fewer blocks.
  const int64_t area = header.width * header.height;
  require(area <= 65536 + static_cast<int64_t>(bytes.size()) * 1024, ErrorKind::io, where, ": the header promises ",
          header.width, "x", header.height, " pixels, which ", bytes.size(), " bytes cannot hold");
  return header;
}

}  // namespace keyflow::media
