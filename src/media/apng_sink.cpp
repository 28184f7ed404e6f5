extern "C" {
#include <libavutil/rational.h>
}

#include "core/files.h"
#include "media/bytes.h"
#include "media/png_file.h"
#include "media/sink_parts.h"

namespace keyflow::media {
namespace {

constexpr uint32_t kForever = 0;

/// APNG 1.0: every frame is a full PNG picture whose data goes into fdAT chunks (IDAT for the first).
class ApngSink : public CheckedSink {
 public:
  ApngSink(const Output& output, const SinkOptions& options)
      : CheckedSink(output, options), delay_(av_d2q(1 / options.fps, 65535)), file_(output.path) {}

 protected:
  void write_frame(const at::Tensor& rgb, int64_t index) override {
    const std::string png = encode_png(rgb, {});
    std::string out;
    for (const PngChunk& chunk : png_chunks(png, where_)) {
      if (chunk.type == "IHDR" && index == 0) out += head(chunk);
      if (chunk.type == "IHDR") out += control();
      if (chunk.type == "IDAT") out += index == 0 ? make_png_chunk("IDAT", chunk.data) : data(chunk);
    }
    file_.write(out.data(), out.size());
  }

  void complete() override {
    const std::string end = make_png_chunk("IEND", {});
    file_.write(end.data(), end.size());
    file_.commit();
  }

 private:
  std::string head(const PngChunk& header) const {
    std::string animation;
    put_be32(animation, static_cast<uint32_t>(options_.frames));
    put_be32(animation, kForever);
    return std::string(png_signature()) + make_png_chunk("IHDR", header.data) +
           make_png_settings(options_.settings_json) + make_png_chunk("acTL", animation);
  }

  std::string control() {
    std::string text;
    put_be32(text, sequence_++);
    put_be32(text, static_cast<uint32_t>(options_.width));
    put_be32(text, static_cast<uint32_t>(options_.height));
    put_be32(text, 0);
    put_be32(text, 0);
    put_be16(text, static_cast<uint32_t>(delay_.num));
    put_be16(text, static_cast<uint32_t>(delay_.den));
    put_be16(text, 0);  // keep the canvas, replace it
    return make_png_chunk("fcTL", text);
  }

  std::string data(const PngChunk& chunk) {
    std::string text;
    put_be32(text, sequence_++);
    text += chunk.data;
    return make_png_chunk("fdAT", text);
  }

  AVRational delay_;
  AtomicFile file_;
  uint32_t sequence_ = 0;
};

}  // namespace

std::unique_ptr<FrameSink> make_apng_sink(const Output& output, const SinkOptions& options) {
  return std::make_unique<ApngSink>(output, options);
}

}  // namespace keyflow::media
