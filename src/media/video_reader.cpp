#include "media/video_reader.h"

#include <ATen/ops/stack.h>

#include "core/error.h"
#include "core/files.h"
#include "media/libav_input.h"
#include "media/picture_header.h"
#include "media/video_container.h"
#include "media/webp_file.h"

namespace keyflow::media {
namespace {

constexpr uint64_t kMaxAnimationFile = uint64_t{1} << 31;

}  // namespace

std::unique_ptr<VideoReader> open_video(const std::filesystem::path& path) {
  const std::string where = printable(path.string(), 400);
  const auto file = MappedFile::open(path);
  const std::string_view bytes(reinterpret_cast<const char*>(file->data()), file->size());
  if (const auto demuxer = sniff_container(bytes)) {
    require_whole_container(bytes, *demuxer, where);
    return open_libav_video(path, *demuxer);
  }
  const auto format = sniff_picture(bytes);
  require(format.has_value(), ErrorKind::io, where,
          ": expected an MP4, MOV, MKV, WebM, AVI, GIF, APNG or WebP video, found ", describe_foreign(bytes));
  const PictureHeader header = scan_picture(bytes, where);
  if (header.format == PictureFormat::webp) return open_webp_video(read_file(path, kMaxAnimationFile), where);
  if (header.format == PictureFormat::gif) return open_libav_video(path, "gif");
  require(header.animated, ErrorKind::io, where, ": expected a video, found a ", name_of(*format), " picture");
  return open_libav_video(path, "apng");
}

Video read_video(const std::filesystem::path& path, const VideoLimits& limits) {
  const std::string where = printable(path.string(), 400);
  const auto reader = open_video(path);
  std::vector<at::Tensor> frames;
  int64_t bytes = 0;
  while (const auto frame = reader->next()) {
    bytes += frame->numel();
    frames.push_back(*frame);
    require(static_cast<int64_t>(frames.size()) <= limits.frames && bytes <= limits.bytes, ErrorKind::io, where,
            ": expected at most ", limits.frames, " frames and ", limits.bytes, " bytes of them, found more at frame ",
            frames.size() - 1);
  }
  require(!frames.empty(), ErrorKind::io, where, ": expected a video with at least one frame, found none");
  return {at::stack(frames), reader->fps()};  // [T, 3, H, W]
}

}  // namespace keyflow::media
