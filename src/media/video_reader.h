#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

namespace keyflow::media {

inline constexpr double kMaxFps = 1000;

/// Frames of a video, one after the other.
class VideoReader {
 public:
  virtual ~VideoReader() = default;

  virtual int64_t width() const = 0;
  virtual int64_t height() const = 0;
  virtual double fps() const = 0;  ///< average frames a second, above 0 and at most kMaxFps
  /// True where the file has sound, which is not read.
  virtual bool has_audio() const { return false; }

  /// The next frame, [3, H, W] uint8, or nothing after the last one. A display rotation by quarter turns is applied,
  /// alpha is composited on white, colours follow the file's tags (BT.601 where there are none, as swscale does).
  /// Throws Error::io with the frame: damaged, cut short, size changed.
  virtual std::optional<at::Tensor> next() = 0;
};

/// Opens MP4, MOV, MKV, WebM, AVI, GIF, APNG or animated WebP, told by content. Other files are never opened through
/// it (no playlists, no references). Throws Error::io.
std::unique_ptr<VideoReader> open_video(const std::filesystem::path& path);

struct VideoLimits {
  int64_t frames = 100'000;
  int64_t bytes = int64_t{4} << 30;  ///< of decoded frames held at once
};

struct Video {
  at::Tensor frames;  ///< [T, 3, H, W] uint8
  double fps = 0;
};

/// The whole video; Error::io when it has no frame or more than the limits allow.
Video read_video(const std::filesystem::path& path, const VideoLimits& limits = {});

}  // namespace keyflow::media
