#include "media/yuv.h"

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <ATen/ops/empty.h>

#include <array>
#include <cstring>

#include "core/shape.h"
#include "media/compose.h"

namespace keyflow::media {
namespace {

constexpr int kFlags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;
// Planes of AV_PIX_FMT_GBRP: green, blue, red.
constexpr std::array<int, 3> kPlaneOfChannel = {2, 0, 1};
constexpr int kUnit = 1 << 16;  // neutral contrast and saturation of swscale

ScalerPtr make_scaler(int height, int width, int from, int to) {
  ScalerPtr scaler(sws_getContext(width, height, static_cast<AVPixelFormat>(from), width, height,
                                  static_cast<AVPixelFormat>(to), kFlags, nullptr, nullptr, nullptr));
  require(scaler != nullptr, ErrorKind::unsupported, "FFmpeg cannot convert pixel format ",
          av_get_pix_fmt_name(static_cast<AVPixelFormat>(from)), " to ",
          av_get_pix_fmt_name(static_cast<AVPixelFormat>(to)));
  return scaler;
}

void scale(SwsContext* scaler, const AVFrame& source, AVFrame& target) {
  const int rows = sws_scale(scaler, source.data, source.linesize, 0, source.height, target.data, target.linesize);
  require(rows == target.height, ErrorKind::internal, "FFmpeg converted ", rows, " of ", target.height, " rows");
}

}  // namespace

RgbToYuv::RgbToYuv(int64_t height, int64_t width, int format)
    : format_(format),
      planes_(make_picture_frame(AV_PIX_FMT_GBRP, height, width)),
      scaler_(make_scaler(planes_->height, planes_->width, AV_PIX_FMT_GBRP, format)) {
  const int* bt709 = sws_getCoefficients(SWS_CS_ITU709);
  const int full = 1, limited = 0;
  sws_setColorspaceDetails(scaler_.get(), bt709, full, bt709, limited, 0, kUnit, kUnit);
}

FramePtr RgbToYuv::convert(const at::Tensor& rgb) {
  const int64_t H = planes_->height, W = planes_->width;
  require_shape(rgb, {3, H, W}, "frame");
  const at::Tensor source = rgb.contiguous();
  for (int64_t c = 0; c < 3; ++c) {
    const int plane = kPlaneOfChannel[static_cast<size_t>(c)];
    for (int64_t y = 0; y < H; ++y) {
      std::memcpy(planes_->data[plane] + y * planes_->linesize[plane],
                  source.const_data_ptr<uint8_t>() + (c * H + y) * W, static_cast<size_t>(W));
    }
  }
  FramePtr frame = make_picture_frame(format_, H, W);
  scale(scaler_.get(), *planes_, *frame);
  frame->color_range = AVCOL_RANGE_MPEG;
  frame->colorspace = AVCOL_SPC_BT709;
  frame->color_primaries = AVCOL_PRI_BT709;
  frame->color_trc = AVCOL_TRC_BT709;
  frame->chroma_location = AVCHROMA_LOC_LEFT;
  return frame;
}

at::Tensor YuvToRgb::convert(const AVFrame& frame) {
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const bool has_alpha = (description->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  const int target = has_alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_GBRP;
  if (!scaler_ || format_ != frame.format || width_ != frame.width || height_ != frame.height) {
    scaler_ = make_scaler(frame.height, frame.width, frame.format, target);
    format_ = frame.format;
    width_ = frame.width;
    height_ = frame.height;
    const bool has_chroma =
        (description->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) == 0 && description->nb_components >= 3;
    const int matrix = frame.colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : frame.colorspace;
    const int full = frame.color_range == AVCOL_RANGE_JPEG || !has_chroma;
    sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(matrix), full, sws_getCoefficients(SWS_CS_DEFAULT), 1,
                             0, kUnit, kUnit);
  }
  const int64_t H = frame.height, W = frame.width;
  const FramePtr planes = make_picture_frame(target, H, W);
  scale(scaler_.get(), frame, *planes);
  if (has_alpha) {
    at::Tensor pixels = at::empty({H, W, 4}, at::kByte);  // [H, W, 4]
    for (int64_t y = 0; y < H; ++y) {
      std::memcpy(pixels.data_ptr<uint8_t>() + y * W * 4, planes->data[0] + y * planes->linesize[0],
                  static_cast<size_t>(W) * 4);
    }
    return compose_on_white(pixels);
  }
  at::Tensor rgb = at::empty({3, H, W}, at::kByte);  // [3, H, W]
  for (int64_t c = 0; c < 3; ++c) {
    const int plane = kPlaneOfChannel[static_cast<size_t>(c)];
    for (int64_t y = 0; y < H; ++y) {
      std::memcpy(rgb.data_ptr<uint8_t>() + (c * H + y) * W, planes->data[plane] + y * planes->linesize[plane],
                  static_cast<size_t>(W));
    }
  }
  return rgb;
}

}  // namespace keyflow::media
