#include "media/bitmap_file.h"

#include <cstdlib>

#include "core/error.h"
#include "media/bytes.h"

namespace keyflow::media {
namespace {

constexpr size_t kBmpHeader = 26;
constexpr uint32_t kBmpOldInfo = 12;
constexpr size_t kTgaHeader = 18;
constexpr uint32_t kTgaRunLength = 8;
// A run of 128 pixels takes at least two bytes; BMP packs 255 pixels in two, and its end-of-line marks up to a row.
constexpr uint64_t kTgaPixelsPerByte = 128;
constexpr uint64_t kBmpPixelsPerByte = 1024;

void require_data(uint64_t needed, std::string_view bytes, const PictureHeader& header, const std::string& where) {
  require(needed <= bytes.size(), ErrorKind::io, where, ": the file is cut short: ", header.width, "x", header.height,
          " pixels need ", needed, " bytes, found ", bytes.size());
}

struct TgaHeader {
  uint32_t id_bytes, palette, type, palette_length, palette_bits, bits;
  bool is_run_length() const { return type & kTgaRunLength; }
  uint64_t data_offset() const { return kTgaHeader + id_bytes + uint64_t{palette_length} * ((palette_bits + 7) / 8); }
};

TgaHeader tga_header(std::string_view b) {
  return {byte_at(b, 0), byte_at(b, 1), byte_at(b, 2), le16(b, 5), byte_at(b, 7), byte_at(b, 16)};
}

}  // namespace

bool looks_like_bmp(std::string_view bytes) {
  if (bytes.size() < kBmpHeader || !bytes.starts_with("BM")) return false;
  const uint32_t info = le32(bytes, 14);
  return info == kBmpOldInfo || (info >= 16 && info <= 124);
}

bool looks_like_tga(std::string_view bytes) {
  if (bytes.size() < kTgaHeader) return false;
  const TgaHeader tga = tga_header(bytes);
  const uint32_t kind = tga.type & ~kTgaRunLength;
  const bool palette_fits = tga.palette == 1 ? tga.palette_length > 0 && tga.palette_length <= 256 &&
                                                   (tga.palette_bits == 15 || tga.palette_bits == 16 ||
                                                    tga.palette_bits == 24 || tga.palette_bits == 32)
                                             : tga.palette == 0 && tga.palette_length == 0;
  const bool bits_fit = kind == 1   ? tga.bits == 8 && tga.palette == 1
                        : kind == 2 ? tga.bits == 15 || tga.bits == 16 || tga.bits == 24 || tga.bits == 32
                                    : kind == 3 && tga.bits == 8;
  const bool unused_bits_are_zero = (byte_at(bytes, 17) & 0xC0) == 0;
  return palette_fits && bits_fit && unused_bits_are_zero;
}

PictureHeader scan_bmp(std::string_view bytes, const std::string& where) {
  PictureHeader header;
  const bool old = le32(bytes, 14) == kBmpOldInfo;
  header.width = old ? le16(bytes, 18) : static_cast<int32_t>(le32(bytes, 18));
  header.height = old ? le16(bytes, 20) : std::abs(int64_t{static_cast<int32_t>(le32(bytes, 22))});
  require_picture_size(header.width, header.height, where);
  const size_t fields = old ? 24 : 28;
  require_data(old ? kBmpHeader : 34, bytes, header, where);
  const uint64_t bits = le16(bytes, fields);
  const uint32_t compression = old ? 0 : le32(bytes, 30);
  const uint64_t start = le32(bytes, 10);
  const bool run_length = compression == 1 || compression == 2;
  const uint64_t area = static_cast<uint64_t>(header.width * header.height);
  const uint64_t stride = (static_cast<uint64_t>(header.width) * bits + 31) / 32 * 4;
  require_data(start + (run_length ? area / kBmpPixelsPerByte : stride * static_cast<uint64_t>(header.height)), bytes,
               header, where);
  return header;
}

PictureHeader scan_tga(std::string_view bytes, const std::string& where) {
  PictureHeader header;
  const TgaHeader tga = tga_header(bytes);
  header.width = le16(bytes, 12);
  header.height = le16(bytes, 14);
  require_picture_size(header.width, header.height, where);
  const uint64_t area = static_cast<uint64_t>(header.width * header.height);
  const uint64_t data = tga.is_run_length() ? area / kTgaPixelsPerByte : area * ((tga.bits + 7) / 8);
  require_data(tga.data_offset() + data, bytes, header, where);
  return header;
}

std::string bmp_with_true_size(std::string_view bytes) {
  std::string size;
  put_le32(size, static_cast<uint32_t>(bytes.size()));
  return std::string(bytes).replace(2, size.size(), size);
}

}  // namespace keyflow::media
