#include "media/libav.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
}

#include <cstring>
#include <mutex>

#include "core/error.h"
#include "media/picture.h"
#include "media/yuv.h"

namespace keyflow::media {
namespace {

void say_nothing(void*, int, const char*, va_list) {}

}  // namespace

void LibavFree::operator()(AVFrame* frame) const { av_frame_free(&frame); }
void LibavFree::operator()(AVPacket* packet) const { av_packet_free(&packet); }
void LibavFree::operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
void LibavFree::operator()(SwsContext* context) const { sws_freeContext(context); }

void silence_libav() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(say_nothing); });
}

std::string libav_reason(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(code, text, sizeof text);
  return text;
}

int libav_check(int code, const std::string& where) {
  require(code >= 0, ErrorKind::io, where, ": ", libav_reason(code));
  return code;
}

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  require(frame != nullptr, ErrorKind::internal, "FFmpeg: out of memory");
  return frame;
}

PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  require(packet != nullptr, ErrorKind::internal, "FFmpeg: out of memory");
  return packet;
}

FramePtr make_picture_frame(int format, int64_t height, int64_t width) {
  FramePtr frame = make_frame();
  frame->format = format;
  frame->height = static_cast<int>(height);
  frame->width = static_cast<int>(width);
  libav_check(av_frame_get_buffer(frame.get(), 0), "FFmpeg");
  return frame;
}

const AVCodec* require_encoder(const std::string& name, const std::string& where) {
  const AVCodec* codec = avcodec_find_encoder_by_name(name.c_str());
  require(codec != nullptr, ErrorKind::unsupported, where, ": the FFmpeg libraries at hand have no encoder ", name,
          "; hint: another FFmpeg, or an output that needs none (.gif, .webp, .apng, _%04d.png)");
  return codec;
}

at::Tensor decode_still(int codec_id, std::string_view bytes, const std::string& where) {
  silence_libav();
  const AVCodec* codec = avcodec_find_decoder(static_cast<AVCodecID>(codec_id));
  require(codec != nullptr, ErrorKind::unsupported, where, ": the FFmpeg libraries at hand cannot decode ",
          avcodec_get_name(static_cast<AVCodecID>(codec_id)));
  CodecContextPtr context(avcodec_alloc_context3(codec));
  require(context != nullptr, ErrorKind::internal, "FFmpeg: out of memory");
  context->thread_count = 1;
  context->max_pixels = kMaxPixels;
  context->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
  libav_check(avcodec_open2(context.get(), codec, nullptr), where);
  PacketPtr packet = make_packet();
  libav_check(av_new_packet(packet.get(), static_cast<int>(bytes.size())), where);
  std::memcpy(packet->data, bytes.data(), bytes.size());
  FramePtr frame = make_frame();
  const std::string damaged = where + ": the picture data is damaged or cut short";
  libav_check(avcodec_send_packet(context.get(), packet.get()), damaged);
  avcodec_send_packet(context.get(), nullptr);
  libav_check(avcodec_receive_frame(context.get(), frame.get()), damaged);
  return YuvToRgb().convert(*frame);
}

}  // namespace keyflow::media
