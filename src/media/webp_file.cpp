#include "media/webp_file.h"

#include <ATen/ops/empty.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/mux.h>

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "media/bytes.h"
#include "media/compose.h"
#include "media/exif.h"

namespace keyflow::media {
namespace {

WebPData view_of(std::string_view bytes) { return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}; }

std::string_view text_of(const WebPData& data) { return {reinterpret_cast<const char*>(data.bytes), data.size}; }

struct Free {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
  void operator()(WebPMux* mux) const { WebPMuxDelete(mux); }
};

/// EXIF blocks in WebP often keep the six bytes that introduce them in JPEG.
std::string_view exif_chunk(WebPDemuxer* demuxer) {
  WebPChunkIterator chunk;
  if (!WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) return {};
  std::string_view tiff = text_of(chunk.chunk);
  WebPDemuxReleaseChunkIterator(&chunk);
  if (tiff.starts_with("Exif")) tiff.remove_prefix(std::min<size_t>(6, tiff.size()));
  return tiff;
}

/// Composed canvases of an animation, in order.
class Animation {
 public:
  Animation(std::string_view bytes, const PictureHeader& header, const std::string& where)
      : header_(header), where_(where) {
    WebPAnimDecoderOptions options;
    WebPAnimDecoderOptionsInit(&options);
    options.color_mode = MODE_RGBA;
    const WebPData data = view_of(bytes);
    decoder_.reset(WebPAnimDecoderNew(&data, &options));
    require(decoder_ != nullptr, ErrorKind::io, where, ": the WebP animation is damaged");
  }

  at::Tensor next() {
    uint8_t* canvas = nullptr;
    int timestamp_ms = 0;
    require(WebPAnimDecoderGetNext(decoder_.get(), &canvas, &timestamp_ms), ErrorKind::io, where_, ": frame ", index_,
            " is damaged");
    ++index_;
    at::Tensor pixels = at::empty({header_.height, header_.width, 4}, at::kByte);  // [H, W, 4]
    std::copy_n(canvas, pixels.numel(), pixels.data_ptr<uint8_t>());
    return pixels;
  }

  double fps() const {
    int64_t total_ms = 0;
    WebPIterator frame;
    if (WebPDemuxGetFrame(WebPAnimDecoderGetDemuxer(decoder_.get()), 1, &frame)) {
      do {
        total_ms += frame.duration;
      } while (WebPDemuxNextFrame(&frame));
      WebPDemuxReleaseIterator(&frame);
    }
    const double fps = total_ms > 0 ? 1000.0 * static_cast<double>(header_.frames) / static_cast<double>(total_ms) : 0;
    require(fps > 0 && fps <= kMaxFps, ErrorKind::io, where_, ": expected at most ", kMaxFps,
            " frames a second, found ", header_.frames, " in ", total_ms, " ms");
    return fps;
  }

 private:
  PictureHeader header_;
  std::string where_;
  std::unique_ptr<WebPAnimDecoder, Free> decoder_;
  int64_t index_ = 0;
};

class WebpReader : public VideoReader {
 public:
  WebpReader(std::string bytes, const std::string& where)
      : bytes_(std::move(bytes)), where_(where), header_(scan_webp(bytes_, where)) {
    if (!header_.animated) return;
    animation_.emplace(bytes_, header_, where);
    fps_ = animation_->fps();
  }

  int64_t width() const override { return header_.width; }
  int64_t height() const override { return header_.height; }
  double fps() const override { return fps_; }

  std::optional<at::Tensor> next() override {
    if (index_++ >= header_.frames) return std::nullopt;
    return compose_on_white(animation_ ? animation_->next() : decode_webp(bytes_, header_, where_));
  }

 private:
  std::string bytes_, where_;
  PictureHeader header_;
  std::optional<Animation> animation_;
  double fps_ = 1;
  int64_t index_ = 0;
};

}  // namespace

PictureHeader scan_webp(std::string_view bytes, const std::string& where) {
  const uint64_t claimed = uint64_t{le32(bytes, 4)} + 8;
  require(claimed <= bytes.size(), ErrorKind::io, where, ": the file is cut short: the WebP header says ", claimed,
          " bytes, found ", bytes.size());
  const WebPData data = view_of(bytes);
  const std::unique_ptr<WebPDemuxer, Free> demuxer(WebPDemux(&data));
  require(demuxer != nullptr, ErrorKind::io, where, ": offset 12: the WebP container is damaged");
  PictureHeader header;
  header.width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  header.height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  require_picture_size(header.width, header.height, where);
  header.frames = WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT);
  header.animated = (WebPDemuxGetI(demuxer.get(), WEBP_FF_FORMAT_FLAGS) & ANIMATION_FLAG) != 0;
  require(header.frames > 0, ErrorKind::io, where, ": expected a WebP with at least one frame, found none");
  const std::string_view exif = exif_chunk(demuxer.get());
  header.orientation = exif_orientation(exif);
  header.settings = exif_description(exif);
  return header;
}

at::Tensor decode_webp(std::string_view bytes, const PictureHeader& header, const std::string& where) {
  if (header.animated) return Animation(bytes, header, where).next();
  at::Tensor pixels = at::empty({header.height, header.width, 4}, at::kByte);  // [H, W, 4]
  const WebPData data = view_of(bytes);
  const auto room = static_cast<size_t>(pixels.numel());
  const auto stride = static_cast<int>(4 * header.width);
  require(WebPDecodeRGBAInto(data.bytes, data.size, pixels.data_ptr<uint8_t>(), room, stride) != nullptr, ErrorKind::io,
          where, ": the WebP data is damaged or cut short");
  return pixels;
}

std::unique_ptr<VideoReader> open_webp_video(std::string bytes, const std::string& where) {
  return std::make_unique<WebpReader>(std::move(bytes), where);
}

std::string with_webp_settings(const std::string& webp, const std::string& settings_json) {
  if (settings_json.empty()) return webp;
  const std::string exif = make_exif(settings_json);
  const WebPData input = view_of(webp), chunk = view_of(exif);
  const std::unique_ptr<WebPMux, Free> mux(WebPMuxCreate(&input, 0));
  WebPData output{};
  WebPDataInit(&output);
  require(mux && WebPMuxSetChunk(mux.get(), "EXIF", &chunk, 0) == WEBP_MUX_OK &&
              WebPMuxAssemble(mux.get(), &output) == WEBP_MUX_OK,
          ErrorKind::internal, "WebP: cannot add the settings");
  std::string result(text_of(output));
  WebPDataClear(&output);
  return result;
}

}  // namespace keyflow::media
