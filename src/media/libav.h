#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <string_view>

struct AVCodec;
struct AVCodecContext;
struct AVFrame;
struct AVPacket;
struct SwsContext;

// Owners for the objects of the FFmpeg libraries, and what is said of their errors.
namespace keyflow::media {

struct LibavFree {
  void operator()(AVFrame* frame) const;
  void operator()(AVPacket* packet) const;
  void operator()(AVCodecContext* context) const;
  void operator()(SwsContext* context) const;
};
using FramePtr = std::unique_ptr<AVFrame, LibavFree>;
using PacketPtr = std::unique_ptr<AVPacket, LibavFree>;
using CodecContextPtr = std::unique_ptr<AVCodecContext, LibavFree>;
using ScalerPtr = std::unique_ptr<SwsContext, LibavFree>;

/// Stops FFmpeg and the encoders behind it from printing; called before any other use.
void silence_libav();

/// The text of an AVERROR code.
std::string libav_reason(int code);

/// Throws Error::io "where: reason" for a negative code; returns it otherwise.
int libav_check(int code, const std::string& where);

FramePtr make_frame();
PacketPtr make_packet();

/// A frame with its own padded planes. format is an AVPixelFormat.
FramePtr make_picture_frame(int format, int64_t height, int64_t width);

/// An encoder by name. Throws Error::unsupported with the file that needed it when FFmpeg was built without.
const AVCodec* require_encoder(const std::string& name, const std::string& where);

/// Decodes the first picture in the bytes of a whole BMP, TGA or GIF file. codec is an AVCodecID.
///
/// result  [3, H, W] uint8, alpha composited on white
at::Tensor decode_still(int codec, std::string_view bytes, const std::string& where);

}  // namespace keyflow::media
