#include "media/frame_sink.h"

#include "core/shape.h"
#include "media/picture_header.h"
#include "media/settings.h"
#include "media/sink_parts.h"
#include "media/video_reader.h"

namespace keyflow::media {
namespace {

constexpr double kMinFps = 0.01;

/// A GIF counts in hundredths of a second, and players slow down what claims to be faster than 50 a second.
double max_fps(OutputFormat format) { return format == OutputFormat::gif ? 50 : kMaxFps; }

void require_options(const Output& output, const SinkOptions& options, const std::string& where) {
  require(options.frames >= 1, ErrorKind::usage, where, ": expected at least one frame, found ", options.frames);
  require(options.fps >= kMinFps && options.fps <= max_fps(output.format), ErrorKind::usage, where, ": expected ",
          kMinFps, " to ", max_fps(output.format), " frames a second, found ", options.fps);
  require_crf(output, options.crf);
  require_picture_size(options.width, options.height, where);
  require_settings_size(options.settings_json, where);
}

}  // namespace

CheckedSink::CheckedSink(const Output& output, const SinkOptions& options)
    : output_(output), options_(options), where_(printable(output.path.string(), 400)) {
  require_options(output, options, where_);
}

void CheckedSink::write(const at::Tensor& rgb) {
  require_shape(rgb, {3, options_.height, options_.width}, "frame");
  require(rgb.scalar_type() == at::kByte && rgb.device().is_cpu(), ErrorKind::shape,
          "frame: expected uint8 on the CPU, found ", rgb.dtype().name(), " on ", rgb.device().str());
  require(written_ < options_.frames, ErrorKind::internal, where_, ": expected ", options_.frames,
          " frames, found more");
  write_frame(rgb.contiguous(), written_);
  ++written_;
}

void CheckedSink::finish() {
  require(written_ == options_.frames, ErrorKind::internal, where_, ": expected ", options_.frames, " frames, found ",
          written_);
  complete();
}

std::unique_ptr<FrameSink> open_sink(const std::filesystem::path& path, const SinkOptions& options) {
  const Output output = parse_output(path, options.frames);
  switch (output.format) {
    case OutputFormat::mp4:
    case OutputFormat::mov:
    case OutputFormat::mkv:
    case OutputFormat::webm:
      return make_video_sink(output, options);
    case OutputFormat::gif:
      return make_gif_sink(output, options);
    case OutputFormat::webp:
      return make_webp_sink(output, options);
    case OutputFormat::apng:
      return make_apng_sink(output, options);
    case OutputFormat::png:
    case OutputFormat::jpeg:
      return make_still_sink(output, options);
  }
  fail(ErrorKind::internal, "output: unknown format");
}

}  // namespace keyflow::media
