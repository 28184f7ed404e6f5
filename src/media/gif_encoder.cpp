#include "media/gif_encoder.h"

#include <algorithm>
#include <unordered_map>

#include "media/bytes.h"

namespace keyflow::media {
namespace {

using namespace std::string_view_literals;

constexpr uint32_t kIndexBits = 8;
constexpr uint32_t kClear = 1 << kIndexBits;
constexpr uint32_t kEnd = kClear + 1;
constexpr uint32_t kMaxCodes = 4096;
constexpr size_t kPaletteEntries = 256;
constexpr size_t kSubBlock = 255;

std::string sub_blocks(std::string_view data) {
  std::string out;
  for (; !data.empty(); data.remove_prefix(std::min(data.size(), kSubBlock))) {
    const std::string_view block = data.substr(0, kSubBlock);
    out += static_cast<char>(block.size());
    out += block;
  }
  return out + '\0';
}

/// Codes of growing width, lowest bit first.
class BitWriter {
 public:
  void put(uint32_t code, uint32_t width) {
    pending_ |= code << bits_;
    for (bits_ += width; bits_ >= 8; bits_ -= 8) {
      bytes_ += static_cast<char>(pending_);
      pending_ >>= 8;
    }
  }
  std::string finish() {
    if (bits_ > 0) bytes_ += static_cast<char>(pending_);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
  uint32_t pending_ = 0, bits_ = 0;
};

}  // namespace

std::string gif_lzw(const std::vector<uint8_t>& indices) {
  BitWriter writer;
  std::unordered_map<uint32_t, uint32_t> codes;  // prefix code and next index -> code
  uint32_t width = kIndexBits + 1, next = kEnd + 1;
  writer.put(kClear, width);
  uint32_t prefix = indices.front();
  for (size_t i = 1; i < indices.size(); ++i) {
    const uint32_t key = prefix << kIndexBits | indices[i];
    if (const auto known = codes.find(key); known != codes.end()) {
      prefix = known->second;
      continue;
    }
    writer.put(prefix, width);
    prefix = indices[i];
    if (next == kMaxCodes) {
      writer.put(kClear, width);
      codes.clear();
      width = kIndexBits + 1;
      next = kEnd + 1;
      continue;
    }
    if (next == uint32_t{1} << width) ++width;
    codes.emplace(key, next++);
  }
  writer.put(prefix, width);
  if (next == uint32_t{1} << width && width < 12) ++width;
  writer.put(kEnd, width);
  return static_cast<char>(kIndexBits) + sub_blocks(writer.finish());
}

std::string make_gif_head(int64_t width, int64_t height, bool is_animation, std::string_view comment) {
  std::string out = "GIF89a";
  put_le16(out, static_cast<uint32_t>(width));
  put_le16(out, static_cast<uint32_t>(height));
  out += "\x70\0\0"sv;  // no global palette, 8 bits a channel
  if (is_animation) out += "\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0\0"sv;
  if (!comment.empty()) out += "\x21\xFE" + sub_blocks(comment);
  return out;
}

std::string make_gif_frame(const Rectangle& place, const std::vector<uint8_t>& indices,
                           const std::vector<Colour>& palette, int delay_cs) {
  std::string out = "\x21\xF9\x04\x05";  // keep the canvas afterwards, one index is transparent
  put_le16(out, static_cast<uint32_t>(delay_cs));
  out += static_cast<char>(kGifTransparent);
  out += '\0';
  out += '\x2C';
  for (const int64_t side : {place.left, place.top, place.width, place.height}) {
    put_le16(out, static_cast<uint32_t>(side));
  }
  out += '\x87';  // a palette of 256 entries follows
  for (const Colour& colour : palette) {
    for (const int32_t channel : colour) out += static_cast<char>(channel);
  }
  out.append(3 * (kPaletteEntries - palette.size()), '\0');
  return out + gif_lzw(indices);
}

}  // namespace keyflow::media
