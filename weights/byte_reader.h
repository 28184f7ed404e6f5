#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace keyflow::weights {

/// A cursor over bytes that refuses to leave them. Numbers are little-endian. Errors start with `where`, which must
/// outlive the reader, and name the offset counted from the start of `bytes`.
class ByteReader {
 public:
  ByteReader(std::span<const uint8_t> bytes, const std::string& where, uint64_t offset = 0)
      : bytes_(bytes), where_(&where), offset_(offset) {}

  uint64_t offset() const { return offset_; }
  uint64_t left() const { return bytes_.size() - offset_; }

  std::string_view take(uint64_t count, const char* what) {
    if (count > left()) {
      fail(ErrorKind::weights, *where_, "offset ", offset_, ": ", what, ": expected ", count, " bytes, found ", left());
    }
    const auto* begin = reinterpret_cast<const char*>(bytes_.data()) + offset_;
    offset_ += count;
    return {begin, static_cast<size_t>(count)};
  }
  uint64_t number(int count, const char* what) {
    const std::string_view raw = take(static_cast<uint64_t>(count), what);
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(raw[static_cast<size_t>(i)]);
    return value;
  }
  /// Up to the next newline, which is skipped.
  std::string_view line(const char* what) {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + offset_, left());
    const auto end = rest.find('\n');
    if (end == rest.npos) fail(ErrorKind::weights, *where_, "offset ", offset_, ": ", what, ": no end of line");
    offset_ += end + 1;
    return rest.substr(0, end);
  }

 private:
  std::span<const uint8_t> bytes_;
  const std::string* where_;
  uint64_t offset_;
};

}  // namespace keyflow::weights
