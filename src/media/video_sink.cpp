extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
}

#include "core/error.h"
#include "core/files.h"
#include "media/libav.h"
#include "media/sink_parts.h"
#include "media/yuv.h"

namespace keyflow::media {
namespace {

// Encoders split work by thread count, and their output with it: fixed, so that every machine writes the same bytes.
constexpr int kThreads = 4;
// Wan saves through imageio at quality 8, which imageio-ffmpeg@0434ca1 turns into crf int((1 - 8/10) * 51) = 10.
constexpr int kDefaultCrfH264 = 10;
constexpr int kDefaultCrfVp9 = 24;
constexpr int kMaxRateTerm = 1001000;

struct Muxer {
  const char* name;
  const char* encoder;
  const char* flags;
};

Muxer muxer_of(OutputFormat format) {
  switch (format) {
    case OutputFormat::mov:
      // The plain comment of QuickTime ends after 65535 bytes; the newer kind of tags has no such limit.
      return {"mov", "libx264", "+faststart+use_metadata_tags"};
    case OutputFormat::mkv:
      return {"matroska", "libx264", nullptr};
    case OutputFormat::webm:
      return {"webm", "libvpx-vp9", nullptr};
    default:
      return {"mp4", "libx264", "+faststart"};
  }
}

struct OutputClose {
  void operator()(AVFormatContext* output) const {
    avio_closep(&output->pb);
    avformat_free_context(output);
  }
};

class VideoSink : public CheckedSink {
 public:
  VideoSink(const Output& output, const SinkOptions& options)
      : CheckedSink(output, options), muxer_(muxer_of(output.format)) {
    silence_libav();
    const AVCodec* codec = require_encoder(muxer_.encoder, where_);
    file_.emplace(output.path);
    open_encoder(codec);
    open_muxer();
    yuv_.emplace(options.height, options.width, pixel_format());
  }

  std::string note() const override {
    if (pixel_format() == AV_PIX_FMT_YUV420P) return {};
    return c10::str("stored as yuv444p, because 4:2:0 H.264 cannot hold an odd size (", options_.width, "x",
                    options_.height, "); some players show only even sizes");
  }

 protected:
  void write_frame(const at::Tensor& rgb, int64_t index) override {
    const FramePtr frame = yuv_->convert(rgb);
    frame->pts = index;
    encode(frame.get());
  }

  void complete() override {
    encode(nullptr);
    check_write(av_write_trailer(format_.get()));
    check_write(format_->pb->error);
    check_write(avio_closep(&format_->pb));
    file_->commit();
  }

 private:
  bool is_vp9() const { return output_.format == OutputFormat::webm; }

  AVPixelFormat pixel_format() const {
    const bool odd = options_.width % 2 != 0 || options_.height % 2 != 0;
    return odd && !is_vp9() ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
  }

  void set(const char* name, const std::string& value) {
    const int code = av_opt_set(encoder_->priv_data, name, value.c_str(), 0);
    require(code >= 0, ErrorKind::internal, where_, ": ", muxer_.encoder, " has no option ", name, ": ",
            libav_reason(code));
  }

  void open_encoder(const AVCodec* codec) {
    encoder_.reset(avcodec_alloc_context3(codec));
    require(encoder_ != nullptr, ErrorKind::internal, "FFmpeg: out of memory");
    AVCodecContext& e = *encoder_;
    e.width = static_cast<int>(options_.width);
    e.height = static_cast<int>(options_.height);
    e.pix_fmt = pixel_format();
    e.framerate = av_d2q(options_.fps, kMaxRateTerm);
    e.time_base = av_inv_q(e.framerate);
    e.sample_aspect_ratio = {1, 1};
    e.color_range = AVCOL_RANGE_MPEG;
    e.colorspace = AVCOL_SPC_BT709;
    e.color_primaries = AVCOL_PRI_BT709;
    e.color_trc = AVCOL_TRC_BT709;
    e.chroma_sample_location = AVCHROMA_LOC_LEFT;
    e.thread_count = kThreads;
    e.flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    const int crf = options_.crf >= 0 ? options_.crf : is_vp9() ? kDefaultCrfVp9 : kDefaultCrfH264;
    set("crf", std::to_string(crf));
    if (is_vp9()) {
      e.bit_rate = 0;
      set("deadline", "good");
      set("cpu-used", "4");
      set("row-mt", "0");
    } else {
      set("preset", "medium");
      // x264's macroblock tree reads memory that it has not written (valgrind, x264 164, widths such as 832): other
      // bytes in every run. Without it files are 7 % larger at the same PSNR.
      set("x264-params", "mbtree=0");
    }
    const int code = avcodec_open2(encoder_.get(), codec, nullptr);
    require(code >= 0, ErrorKind::unsupported, where_, ": ", muxer_.encoder, " refuses ", options_.width, "x",
            options_.height, " at ", options_.fps, " frames a second: ", libav_reason(code));
  }

  void open_muxer() {
    const std::string url = "file:" + file_->temporary().string();
    AVFormatContext* format = nullptr;
    const int code = avformat_alloc_output_context2(&format, nullptr, muxer_.name, url.c_str());
    require(code >= 0, ErrorKind::unsupported, where_, ": the FFmpeg libraries at hand cannot write ", muxer_.name);
    format_.reset(format);
    format->flags |= AVFMT_FLAG_BITEXACT;
    if (!options_.settings_json.empty()) av_dict_set(&format->metadata, "comment", options_.settings_json.c_str(), 0);
    stream_ = avformat_new_stream(format, nullptr);
    require(stream_ != nullptr, ErrorKind::internal, "FFmpeg: out of memory");
    stream_->time_base = encoder_->time_base;
    stream_->avg_frame_rate = encoder_->framerate;
    check_write(avcodec_parameters_from_context(stream_->codecpar, encoder_.get()));
    check_write(avio_open(&format->pb, url.c_str(), AVIO_FLAG_WRITE));
    AVDictionary* muxing = nullptr;
    if (muxer_.flags) av_dict_set(&muxing, "movflags", muxer_.flags, 0);
    const int written = avformat_write_header(format, &muxing);
    av_dict_free(&muxing);
    check_write(written);
  }

  void encode(const AVFrame* frame) {
    check_write(avcodec_send_frame(encoder_.get(), frame));
    for (;;) {
      const int code = avcodec_receive_packet(encoder_.get(), packet_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      check_write(code);
      if (packet_->duration == 0) packet_->duration = 1;
      av_packet_rescale_ts(packet_.get(), encoder_->time_base, stream_->time_base);
      packet_->stream_index = stream_->index;
      check_write(av_interleaved_write_frame(format_.get(), packet_.get()));
      check_write(format_->pb->error);
    }
  }

  void check_write(int code) const {
    require(code >= 0, ErrorKind::io, where_, ": cannot write",
            format_ && format_->pb ? c10::str(" after ", avio_tell(format_->pb), " bytes") : std::string(), ": ",
            libav_reason(code));
  }

  Muxer muxer_;
  std::optional<AtomicFile> file_;
  CodecContextPtr encoder_;
  std::unique_ptr<AVFormatContext, OutputClose> format_;
  AVStream* stream_ = nullptr;
  std::optional<RgbToYuv> yuv_;
  PacketPtr packet_ = make_packet();
};

}  // namespace

std::unique_ptr<FrameSink> make_video_sink(const Output& output, const SinkOptions& options) {
  return std::make_unique<VideoSink>(output, options);
}

}  // namespace keyflow::media
