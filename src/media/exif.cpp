#include "media/exif.h"

#include <cstdint>
#include <optional>

#include "media/bytes.h"

namespace keyflow::media {
namespace {

constexpr uint32_t kDescription = 0x010E;
constexpr uint32_t kOrientation = 0x0112;
constexpr uint32_t kAscii = 2;
constexpr uint32_t kShort = 3;
constexpr size_t kEntryBytes = 12;

struct Entry {
  uint32_t type;
  uint32_t count;
  size_t value;  ///< offset of the four bytes that hold the value or its offset
};

struct Tiff {
  std::string_view bytes;
  bool big_endian;
  uint32_t u16(size_t i) const { return big_endian ? be16(bytes, i) : le16(bytes, i); }
  uint32_t u32(size_t i) const { return big_endian ? be32(bytes, i) : le32(bytes, i); }

  std::optional<Entry> find(uint32_t tag) const {
    const size_t directory = u32(4);
    if (directory > bytes.size() || bytes.size() - directory < 2) return std::nullopt;
    const size_t fitting = (bytes.size() - directory - 2) / kEntryBytes;
    const size_t entries = std::min<size_t>(u16(directory), fitting);
    for (size_t k = 0; k < entries; ++k) {
      const size_t at = directory + 2 + k * kEntryBytes;
      if (u16(at) == tag) return Entry{u16(at + 2), u32(at + 4), at + 8};
    }
    return std::nullopt;
  }
};

std::optional<Tiff> open_tiff(std::string_view bytes) {
  if (bytes.size() < 8) return std::nullopt;
  const std::string_view order = bytes.substr(0, 2);
  if (order != "II" && order != "MM") return std::nullopt;
  const Tiff tiff{bytes, order == "MM"};
  if (tiff.u16(2) != 42) return std::nullopt;
  return tiff;
}

}  // namespace

int exif_orientation(std::string_view bytes) {
  const auto tiff = open_tiff(bytes);
  if (!tiff) return 1;
  const auto entry = tiff->find(kOrientation);
  if (!entry || entry->type != kShort || entry->count != 1) return 1;
  const uint32_t value = tiff->u16(entry->value);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

std::string exif_description(std::string_view bytes) {
  const auto tiff = open_tiff(bytes);
  if (!tiff) return {};
  const auto entry = tiff->find(kDescription);
  if (!entry || entry->type != kAscii || entry->count == 0) return {};
  const size_t start = entry->count <= 4 ? entry->value : tiff->u32(entry->value);
  if (start > bytes.size() || bytes.size() - start < entry->count) return {};
  return std::string(bytes.substr(start, entry->count - 1));
}

std::string make_exif(std::string_view description) {
  const uint32_t directory = 8;
  std::string text = std::string(description) + '\0';
  std::string out = "II";
  put_le16(out, 42);
  put_le32(out, directory);
  put_le16(out, 1);
  put_le16(out, kDescription);
  put_le16(out, kAscii);
  put_le32(out, static_cast<uint32_t>(text.size()));
  const bool fits_the_entry = text.size() <= 4;
  if (fits_the_entry) {
    text.resize(4);
    return out + text + std::string(4, '\0');
  }
  put_le32(out, directory + 2 + kEntryBytes + 4);
  put_le32(out, 0);
  return out + text;
}

}  // namespace keyflow::media
