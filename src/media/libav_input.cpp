#include "media/libav_input.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
}

#include <ATen/ops/rot90.h>

#include <cmath>

#include "core/error.h"
#include "media/picture.h"
#include "media/picture_header.h"
#include "media/yuv.h"

namespace keyflow::media {
namespace {

constexpr int kDamaged = FF_DECODE_ERROR_INVALID_BITSTREAM | FF_DECODE_ERROR_MISSING_REFERENCE |
                         FF_DECODE_ERROR_DECODE_SLICES | FF_DECODE_ERROR_CONCEALMENT_ACTIVE;

class LibavReader : public VideoReader {
 public:
  LibavReader(const std::filesystem::path& path, const std::string& demuxer)
      : where_(printable(path.string(), 400)), input_(open_input(path, demuxer)) {
    inject_side_data();
    libav_check(avformat_find_stream_info(input_.get(), nullptr), where_ + ": cannot read the streams");
    const AVCodec* codec = nullptr;
    const int index = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    require(index >= 0, ErrorKind::io, where_, ": expected a video stream, found none that FFmpeg can decode");
    stream_ = input_->streams[index];
    require_picture_size(stream_->codecpar->width, stream_->codecpar->height, where_);
    decoder_.reset(avcodec_alloc_context3(codec));
    require(decoder_ != nullptr, ErrorKind::internal, "FFmpeg: out of memory");
    libav_check(avcodec_parameters_to_context(decoder_.get(), stream_->codecpar), where_);
    decoder_->max_pixels = kMaxPixels;
    decoder_->pkt_timebase = stream_->time_base;
    libav_check(avcodec_open2(decoder_.get(), codec, nullptr), where_);
    pending_ = decode();
    require(pending_.has_value(), ErrorKind::io, where_, ": expected a video with at least one frame, found none");
  }

  int64_t height() const override { return pending_ ? pending_->size(1) : last_height_; }
  int64_t width() const override { return pending_ ? pending_->size(2) : last_width_; }
  double fps() const override { return fps_; }
  bool has_audio() const override {
    return av_find_best_stream(input_.get(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0) >= 0;
  }

  std::optional<at::Tensor> next() override {
    if (!pending_) return std::nullopt;
    last_height_ = height();
    last_width_ = width();
    std::optional<at::Tensor> frame = std::move(pending_);
    pending_ = decode();
    return frame;
  }

 private:
  void inject_side_data() {
#if LIBAVFORMAT_VERSION_MAJOR < 60
    // Later versions hand the display matrix of a stream to the decoder by themselves.
    av_format_inject_global_side_data(input_.get());
#endif
  }

  /// The average over the file; where it has none (two frames of an APNG), the first frame's duration.
  void read_fps(const AVPacket& first) {
    const AVRational average = stream_->avg_frame_rate;
    const AVRational one_frame = av_mul_q({static_cast<int>(first.duration), 1}, stream_->time_base);
    const AVRational rate = average.num > 0 && average.den > 0 ? average : av_inv_q(one_frame);
    fps_ = rate.den > 0 ? av_q2d(rate) : 0;
    require(fps_ > 0 && fps_ <= kMaxFps, ErrorKind::io, where_, ": expected a frame rate above 0 and at most ", kMaxFps,
            ", found ", rate.num, "/", rate.den);
  }

  std::string here() const { return c10::str(where_, ": frame ", index_, " is damaged or cut short"); }

  void feed() {
    for (;;) {
      const int code = av_read_frame(input_.get(), packet_.get());
      if (code == AVERROR_EOF && (input_->pb == nullptr || input_->pb->error >= 0)) {
        libav_check(avcodec_send_packet(decoder_.get(), nullptr), here());
        return;
      }
      libav_check(code, here());
      const bool ours = packet_->stream_index == stream_->index;
      require(!ours || (packet_->flags & AV_PKT_FLAG_CORRUPT) == 0, ErrorKind::io, here());
      if (ours && fps_ == 0) read_fps(*packet_);
      const int sent = ours ? avcodec_send_packet(decoder_.get(), packet_.get()) : 0;
      av_packet_unref(packet_.get());
      libav_check(sent, here());
      if (ours) return;
    }
  }

  std::optional<at::Tensor> decode() {
    for (;;) {
      const int code = avcodec_receive_frame(decoder_.get(), frame_.get());
      if (code == AVERROR_EOF) return std::nullopt;
      if (code == AVERROR(EAGAIN)) {
        feed();
        continue;
      }
      libav_check(code, here());
      require((frame_->flags & AV_FRAME_FLAG_CORRUPT) == 0 && (frame_->decode_error_flags & kDamaged) == 0,
              ErrorKind::io, here());
      const AVCodecParameters* promised = stream_->codecpar;
      require(frame_->width == promised->width && frame_->height == promised->height, ErrorKind::io, where_, ": frame ",
              index_, ": the size changes from ", promised->width, "x", promised->height, " to ", frame_->width, "x",
              frame_->height);
      ++index_;
      return turned(rgb_.convert(*frame_));
    }
  }

  /// Applies the display matrix of the file when it is a rotation by quarter turns.
  at::Tensor turned(const at::Tensor& rgb) {
    if (const AVFrameSideData* matrix = av_frame_get_side_data(frame_.get(), AV_FRAME_DATA_DISPLAYMATRIX)) {
      const double counterclockwise = av_display_rotation_get(reinterpret_cast<const int32_t*>(matrix->data));
      if (std::isfinite(counterclockwise)) quarter_turns_ = std::lround(counterclockwise / 90);
    }
    return quarter_turns_ % 4 == 0 ? rgb : at::rot90(rgb, quarter_turns_, {1, 2}).contiguous();
  }

  std::string where_;
  InputPtr input_;
  AVStream* stream_ = nullptr;
  CodecContextPtr decoder_;
  PacketPtr packet_ = make_packet();
  FramePtr frame_ = make_frame();
  YuvToRgb rgb_;
  double fps_ = 0;
  int64_t index_ = 0, quarter_turns_ = 0, last_height_ = 0, last_width_ = 0;
  std::optional<at::Tensor> pending_;
};

}  // namespace

void InputClose::operator()(AVFormatContext* input) const { avformat_close_input(&input); }

InputPtr open_input(const std::filesystem::path& path, const std::string& demuxer) {
  silence_libav();
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  AVFormatContext* input = nullptr;
  const std::string url = "file:" + path.string();
  const int code = avformat_open_input(&input, url.c_str(), av_find_input_format(demuxer.c_str()), &options);
  av_dict_free(&options);
  libav_check(code, printable(path.string(), 400) + ": cannot open the video");
  return InputPtr(input);
}

std::unique_ptr<VideoReader> open_libav_video(const std::filesystem::path& path, const std::string& demuxer) {
  return std::make_unique<LibavReader>(path, demuxer);
}

}  // namespace keyflow::media
