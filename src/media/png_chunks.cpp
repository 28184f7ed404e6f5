#include <zlib.h>

#include "core/error.h"
#include "media/bytes.h"
#include "media/exif.h"
#include "media/png_file.h"

namespace keyflow::media {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kKeyword = "keyflow\0"sv;
// Flags and the two empty strings of an uncompressed iTXt chunk: compression, method, language, translated keyword.
constexpr std::string_view kPlainText = "\0\0\0\0"sv;
constexpr size_t kChunkFrame = 12;

uint32_t checksum(std::string_view type_and_data) {
  return static_cast<uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(type_and_data.data()), static_cast<uInt>(type_and_data.size())));
}

bool is_letters(std::string_view type) {
  for (const char c : type) {
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) return false;
  }
  return true;
}

std::string settings_of(std::string_view text_chunk) {
  if (!text_chunk.starts_with(kKeyword)) return {};
  const std::string_view rest = text_chunk.substr(kKeyword.size());
  return rest.starts_with(kPlainText) ? std::string(rest.substr(kPlainText.size())) : std::string();
}

/// Bits of a pixel by colour type and depth, 0 for a combination that PNG does not have.
uint32_t pixel_bits(uint32_t colour, uint32_t depth) {
  const bool power = depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
  if (colour == 0 && power) return depth;
  if (colour == 3 && power && depth <= 8) return depth;
  if (depth != 8 && depth != 16) return 0;
  return colour == 2 ? 3 * depth : colour == 4 ? 2 * depth : colour == 6 ? 4 * depth : 0;
}

/// Deflate packs at most 1032:1 and adds little to what it cannot pack, so that both lies show before decoding.
void require_plausible(const PictureHeader& header, uint32_t bits, uint64_t packed, const std::string& where) {
  const uint64_t raw = (static_cast<uint64_t>(header.width) * bits / 8 + 1) * static_cast<uint64_t>(header.height);
  require(raw <= 1032 * packed + 1024, ErrorKind::io, where, ": the header promises ", header.width, "x", header.height,
          " pixels (", raw, " bytes), which ", packed, " bytes of data cannot hold");
  require(packed <= 2 * raw + 65536, ErrorKind::io, where, ": expected about ", raw, " bytes of data for ",
          header.width, "x", header.height, " pixels, found ", packed);
}

}  // namespace

std::string_view png_signature() { return "\x89PNG\r\n\x1A\n"sv; }

std::vector<PngChunk> png_chunks(std::string_view bytes, const std::string& where) {
  std::vector<PngChunk> chunks;
  for (size_t at = png_signature().size();;) {
    require(bytes.size() >= at + kChunkFrame, ErrorKind::io, where, ": offset ", at,
            ": the file is cut short: expected a PNG chunk, found ", bytes.size() - std::min(at, bytes.size()),
            " bytes");
    const uint64_t length = be32(bytes, at);
    const std::string_view type = bytes.substr(at + 4, 4);
    require(is_letters(type), ErrorKind::io, where, ": offset ", at + 4, ": expected the name of a PNG chunk, found \"",
            printable(type), "\"");
    require(length <= bytes.size() - at - kChunkFrame, ErrorKind::io, where, ": offset ", at,
            ": the file is cut short: chunk ", std::string(type), " has ", length, " bytes, the file ends after ",
            bytes.size() - at - 8);
    const uint32_t stored = be32(bytes, at + 8 + length);
    const uint32_t computed = checksum(bytes.substr(at + 4, 4 + length));
    require(stored == computed, ErrorKind::io, where, ": offset ", at, ": chunk ", std::string(type),
            " is damaged: expected checksum ", stored, ", found ", computed);
    require(!chunks.empty() || (type == "IHDR" && length == 13), ErrorKind::io, where, ": offset ", at,
            ": expected chunk IHDR of 13 bytes, found ", std::string(type), " of ", length);
    chunks.push_back({type, bytes.substr(at + 8, length), at});
    if (type == "IEND") return chunks;
    at += kChunkFrame + length;
  }
}

std::string make_png_chunk(std::string_view type, std::string_view data) {
  std::string out;
  put_be32(out, static_cast<uint32_t>(data.size()));
  out += type;
  out += data;
  put_be32(out, checksum(std::string_view(out).substr(4)));
  return out;
}

std::string make_png_settings(const std::string& settings_json) {
  if (settings_json.empty()) return {};
  return make_png_chunk("iTXt", std::string(kKeyword) + std::string(kPlainText) + settings_json);
}

PictureHeader scan_png(std::string_view bytes, const std::string& where) {
  PictureHeader header;
  uint32_t bits = 0;
  uint64_t packed = 0;
  for (const PngChunk& chunk : png_chunks(bytes, where)) {
    if (chunk.type == "IHDR") {
      header.width = be32(chunk.data, 0);
      header.height = be32(chunk.data, 4);
      require_picture_size(header.width, header.height, where);
      bits = pixel_bits(byte_at(chunk.data, 9), byte_at(chunk.data, 8));
      require(bits > 0, ErrorKind::io, where, ": offset ", chunk.offset + 16, ": PNG has no colour type ",
              byte_at(chunk.data, 9), " with ", byte_at(chunk.data, 8), " bits");
    } else if (chunk.type == "IDAT") {
      packed += chunk.data.size();
    } else if (chunk.type == "acTL" && chunk.data.size() == 8) {
      header.animated = true;
      header.frames = be32(chunk.data, 0);
    } else if (chunk.type == "eXIf") {
      header.orientation = exif_orientation(chunk.data);
    } else if (chunk.type == "iTXt" && header.settings.empty()) {
      header.settings = settings_of(chunk.data);
    }
  }
  require_plausible(header, bits, packed, where);
  return header;
}

}  // namespace keyflow::media
