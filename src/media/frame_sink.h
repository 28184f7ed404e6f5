#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace keyflow::media {

struct SinkOptions {
  int64_t width = 0;
  int64_t height = 0;
  double fps = 16;
  int64_t frames = 1;           ///< how many will be written; another count is an error at finish()
  int crf = -1;                 ///< H.264 0..51, VP9 0..63; -1: 10 (the official program's) and 24; others take none
  std::string settings_json{};  ///< carried in the file's metadata; "" for none; at most kMaxSettingsBytes
};

/// Where frames go, one after the other. Nothing is at the output path before finish() has returned; destroyed
/// without finish(), a sink leaves nothing behind.
class FrameSink {
 public:
  virtual ~FrameSink() = default;

  /// Takes the next frame, [3, H, W] uint8 of the promised size. Throws Error::shape, Error::io (disk full, ...).
  virtual void write(const at::Tensor& rgb) = 0;

  /// Completes the file: flush, fsync, rename. Throws Error::io, Error::internal when frames are missing.
  virtual void finish() = 0;

  /// What the user should know about the file, "" for nothing: "stored as yuv444p, because 129x97 is odd".
  virtual std::string note() const { return {}; }
};

/// Opens a sink for the format that the name asks for (see parse_output).
///
/// .mp4 .mov .mkv  H.264 by libx264, yuv420p (yuv444p when a side is odd, as 4:2:0 cannot hold it), BT.709 limited
///                 range, tagged; index in front of the data (mp4, mov)
/// .webm           VP9 by libvpx, yuv420p of any size, tagged likewise
/// .gif            256 colours a frame by median cut, error diffusion, endless loop; at most 50 fps
/// .webp           lossy, quality 90, endless loop; a still picture for one frame; sides up to 16383
/// .apng           lossless, endless loop
/// .png .jpg       one frame, or a numbered sequence; jpg has quality 95, 4:4:4
///
/// The same frames and options give the same bytes: fixed thread count, bit-exact flags, no time stamps.
/// throws Error::usage (name, crf, fps), Error::unsupported (no such encoder in the FFmpeg at hand), Error::io
std::unique_ptr<FrameSink> open_sink(const std::filesystem::path& path, const SinkOptions& options);

}  // namespace keyflow::media
