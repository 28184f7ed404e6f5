#include "media/video_container.h"

#include <array>
#include <cstdint>

#include "core/error.h"
#include "media/bytes.h"

namespace keyflow::media {
namespace {

using namespace std::string_view_literals;

constexpr std::array kBoxes = {"ftyp"sv, "moov"sv, "mdat"sv, "free"sv, "wide"sv, "skip"sv, "pnot"sv};
constexpr std::string_view kEbml = "\x1A\x45\xDF\xA3"sv;
constexpr std::string_view kSegment = "\x18\x53\x80\x67"sv;

[[noreturn]] void fail_cut(const std::string& where, size_t at, std::string_view part, uint64_t claimed,
                           uint64_t found) {
  fail(ErrorKind::io, where, ": offset ", at, ": the file is cut short: part ", printable(part), " has ", claimed,
       " bytes, found ", found);
}

void require_whole_boxes(std::string_view bytes, const std::string& where) {
  bool has_index = false;
  for (size_t at = 0; at < bytes.size();) {
    const uint64_t left = bytes.size() - at;
    if (left < 8) fail_cut(where, at, "box", 8, left);
    const std::string_view type = bytes.substr(at + 4, 4);
    uint64_t size = be32(bytes, at);
    if (size == 1 && left >= 16) size = be64(bytes, at + 8);
    if (size == 0) size = left;
    require(size >= 8, ErrorKind::io, where, ": offset ", at, ": expected a box of at least 8 bytes, found ", size);
    if (size > left) fail_cut(where, at, type, size, left);
    has_index |= type == "moov"sv;
    at += size;
  }
  require(has_index, ErrorKind::io, where, ": expected an index (box moov), found none: the file was not finished");
}

/// Length of an EBML size field, and the size in it; a size of all ones means unknown.
struct EbmlSize {
  size_t length;
  uint64_t value;
  bool unknown;
};

EbmlSize ebml_size(std::string_view bytes, size_t at, const std::string& where) {
  require(at < bytes.size() && byte_at(bytes, at) != 0, ErrorKind::io, where, ": offset ", at,
          ": expected the size of a Matroska element");
  size_t length = 1;
  uint32_t mark = 0x80;
  for (; (byte_at(bytes, at) & mark) == 0; mark >>= 1) ++length;
  require(length <= bytes.size() - at, ErrorKind::io, where, ": offset ", at, ": the file is cut short");
  uint64_t value = byte_at(bytes, at) & (mark - 1);
  for (size_t i = 1; i < length; ++i) value = value << 8 | byte_at(bytes, at + i);
  return {length, value, value == (uint64_t{1} << (7 * length)) - 1};
}

void require_whole_segment(std::string_view bytes, const std::string& where) {
  const EbmlSize header = ebml_size(bytes, kEbml.size(), where);
  const uint64_t at = kEbml.size() + header.length + header.value;
  require(header.value < bytes.size() && at < bytes.size() && bytes.substr(at).starts_with(kSegment), ErrorKind::io,
          where, ": offset ", at, ": expected a Matroska segment");
  const EbmlSize segment = ebml_size(bytes, at + kSegment.size(), where);
  const uint64_t left = bytes.size() - at - kSegment.size() - segment.length;
  if (!segment.unknown && segment.value > left) fail_cut(where, at, "segment", segment.value, left);
}

void require_whole_riff(std::string_view bytes, const std::string& where) {
  const uint64_t size = le32(bytes, 4);
  if (size + 8 > bytes.size()) fail_cut(where, 0, "RIFF", size, bytes.size() - 8);
}

}  // namespace

std::optional<std::string> sniff_container(std::string_view bytes) {
  if (bytes.size() < 12) return std::nullopt;
  if (bytes.starts_with(kEbml)) return "matroska";
  if (bytes.starts_with("RIFF"sv) && bytes.substr(8, 4) == "AVI "sv) return "avi";
  for (const std::string_view box : kBoxes) {
    if (bytes.substr(4, 4) == box) return "mov";
  }
  return std::nullopt;
}

void require_whole_container(std::string_view bytes, const std::string& demuxer, const std::string& where) {
  if (demuxer == "mov") require_whole_boxes(bytes, where);
  if (demuxer == "matroska") require_whole_segment(bytes, where);
  if (demuxer == "avi") require_whole_riff(bytes, where);
}

}  // namespace keyflow::media
