#include "media/gif_file.h"

#include "core/error.h"
#include "media/bytes.h"

namespace keyflow::media {
namespace {

constexpr uint32_t kImage = 0x2C, kExtension = 0x21, kTrailer = 0x3B, kComment = 0xFE;

class Walker {
 public:
  Walker(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  size_t offset() const { return at_; }
  uint32_t byte() { return byte_at(take(1), 0); }

  std::string_view take(size_t count) {
    require(count <= bytes_.size() - at_, ErrorKind::io, where_, ": offset ", at_, ": the file is cut short: expected ",
            count, " bytes more of the GIF, found ", bytes_.size() - at_);
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }

  void skip_palette(uint32_t flags) {
    if (flags & 0x80) take(size_t{3} << ((flags & 7) + 1));
  }

  /// Sub-blocks up to the empty one, joined into `out` when that is wanted.
  void sub_blocks(std::string* out) {
    while (const size_t count = byte()) {
      const std::string_view block = take(count);
      if (out) *out += block;
    }
  }

 private:
  std::string_view bytes_;
  const std::string& where_;
  size_t at_ = 0;
};

}  // namespace

PictureHeader scan_gif(std::string_view bytes, const std::string& where) {
  PictureHeader header;
  header.frames = 0;
  Walker gif(bytes, where);
  gif.take(6);
  const std::string_view screen = gif.take(7);
  header.width = le16(screen, 0);
  header.height = le16(screen, 2);
  require_picture_size(header.width, header.height, where);
  gif.skip_palette(byte_at(screen, 4));
  for (bool commented = false;;) {
    const size_t at = gif.offset();
    const uint32_t kind = gif.byte();
    if (kind == kTrailer) break;
    if (kind == kImage) {
      const std::string_view place = gif.take(9);
      const uint64_t right = le16(place, 0) + le16(place, 4), bottom = le16(place, 2) + le16(place, 6);
      require(right <= static_cast<uint64_t>(header.width) && bottom <= static_cast<uint64_t>(header.height),
              ErrorKind::io, where, ": offset ", at, ": frame ", header.frames, " reaches to ", right, "x", bottom,
              "; expected it inside ", header.width, "x", header.height);
      gif.skip_palette(byte_at(place, 8));
      gif.take(1);
      gif.sub_blocks(nullptr);
      ++header.frames;
    } else {
      require(kind == kExtension, ErrorKind::io, where, ": offset ", at, ": expected a GIF block, found byte ", kind);
      const bool wanted = gif.byte() == kComment && !commented;
      gif.sub_blocks(wanted ? &header.settings : nullptr);
      commented |= wanted;
    }
  }
  require(header.frames > 0, ErrorKind::io, where, ": expected a GIF with at least one frame, found none");
  header.animated = header.frames > 1;
  return header;
}

}  // namespace keyflow::media
