#include <webp/encode.h>
#include <webp/mux.h>

#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "media/sink_parts.h"
#include "media/webp_file.h"

namespace keyflow::media {
namespace {

constexpr float kQuality = 90;

struct Free {
  void operator()(WebPAnimEncoder* encoder) const { WebPAnimEncoderDelete(encoder); }
};

/// A WebPPicture filled with a frame.
struct SourcePicture {
  WebPPicture value;

  explicit SourcePicture(const at::Tensor& rgb) {
    require(WebPPictureInit(&value) != 0, ErrorKind::internal, "WebP: the library has another version");
    value.width = static_cast<int>(rgb.size(2));
    value.height = static_cast<int>(rgb.size(1));
    const at::Tensor pixels = rgb.permute({1, 2, 0}).contiguous();  // [H, W, 3]
    require(WebPPictureImportRGB(&value, pixels.const_data_ptr<uint8_t>(), 3 * value.width) != 0, ErrorKind::internal,
            "WebP: out of memory");
  }
  ~SourcePicture() { WebPPictureFree(&value); }
  SourcePicture(const SourcePicture&) = delete;
  SourcePicture& operator=(const SourcePicture&) = delete;
};

class WebpSink : public CheckedSink {
 public:
  WebpSink(const Output& output, const SinkOptions& options) : CheckedSink(output, options), file_(output.path) {
    require(options.width <= WEBP_MAX_DIMENSION && options.height <= WEBP_MAX_DIMENSION, ErrorKind::usage, where_,
            ": expected sides of at most ", WEBP_MAX_DIMENSION, " for WebP, found ", options.width, "x",
            options.height);
    require(WebPConfigPreset(&config_, WEBP_PRESET_DEFAULT, kQuality) != 0, ErrorKind::internal,
            "WebP: the library has another version");
    if (options.frames == 1) return;
    WebPAnimEncoderOptions animation;
    WebPAnimEncoderOptionsInit(&animation);
    encoder_.reset(WebPAnimEncoderNew(static_cast<int>(options.width), static_cast<int>(options.height), &animation));
    require(encoder_ != nullptr, ErrorKind::internal, "WebP: out of memory");
  }

 protected:
  void write_frame(const at::Tensor& rgb, int64_t index) override {
    SourcePicture picture(rgb);
    if (!encoder_) {
      still_ = encode(picture);
      return;
    }
    check(WebPAnimEncoderAdd(encoder_.get(), &picture.value, time_ms(index), &config_));
  }

  void complete() override {
    const std::string file = with_webp_settings(encoder_ ? assemble() : still_, options_.settings_json);
    file_.write(file.data(), file.size());
    file_.commit();
  }

 private:
  int time_ms(int64_t index) const {
    return static_cast<int>(std::llround(static_cast<double>(index) * 1000 / options_.fps));
  }

  void check(int success) const {
    require(success != 0, ErrorKind::internal, where_,
            ": WebP encoder: ", printable(WebPAnimEncoderGetError(encoder_.get())));
  }

  std::string encode(SourcePicture& picture) const {
    WebPMemoryWriter memory;
    WebPMemoryWriterInit(&memory);
    picture.value.writer = WebPMemoryWrite;
    picture.value.custom_ptr = &memory;
    const bool encoded = WebPEncode(&config_, &picture.value) != 0;
    std::string file(reinterpret_cast<const char*>(memory.mem), memory.size);
    WebPMemoryWriterClear(&memory);
    require(encoded, ErrorKind::internal, where_, ": WebP encoder: error ", static_cast<int>(picture.value.error_code));
    return file;
  }

  std::string assemble() {
    check(WebPAnimEncoderAdd(encoder_.get(), nullptr, time_ms(options_.frames), nullptr));
    WebPData data;
    WebPDataInit(&data);
    check(WebPAnimEncoderAssemble(encoder_.get(), &data));
    std::string file(reinterpret_cast<const char*>(data.bytes), data.size);
    WebPDataClear(&data);
    return file;
  }

  AtomicFile file_;
  WebPConfig config_;
  std::unique_ptr<WebPAnimEncoder, Free> encoder_;
  std::string still_;
};

}  // namespace

std::unique_ptr<FrameSink> make_webp_sink(const Output& output, const SinkOptions& options) {
  return std::make_unique<WebpSink>(output, options);
}

}  // namespace keyflow::media
