#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "media/jpeg_file.h"
#include "media/png_file.h"
#include "media/sink_parts.h"

namespace keyflow::media {
namespace {

/// One picture, or a numbered sequence that waits in a hidden folder beside its place until it is complete.
class StillSink : public CheckedSink {
 public:
  StillSink(const Output& output, const SinkOptions& options) : CheckedSink(output, options) {
    folder_ = output.path.has_parent_path() ? output.path.parent_path() : std::filesystem::path(".");
    waiting_ =
        folder_ / ("." + output.frame_path(0).filename().string() + "." + std::to_string(::getpid()) + ".frames");
    std::error_code code;
    std::filesystem::remove_all(waiting_, code);
    require(std::filesystem::create_directory(waiting_, code), ErrorKind::io, where_,
            ": cannot write: ", code.message());
  }

  ~StillSink() override {
    std::error_code ignored;
    std::filesystem::remove_all(waiting_, ignored);
  }

 protected:
  void write_frame(const at::Tensor& rgb, int64_t index) override {
    const bool is_png = output_.format == OutputFormat::png;
    write_file(waiting_ / std::to_string(index),
               is_png ? encode_png(rgb, options_.settings_json) : encode_jpeg(rgb, options_.settings_json));
  }

  void complete() override {
    for (int64_t index = 0; index < options_.frames; ++index) {
      const auto target = output_.frame_path(index);
      std::error_code code;
      std::filesystem::rename(waiting_ / std::to_string(index), target, code);
      require(!code, ErrorKind::io, printable(target.string(), 400), ": rename: ", code.message());
    }
    // The names are on disk only when their folder is.
    const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    ::fsync(folder);
    ::close(folder);
  }

 private:
  std::filesystem::path folder_, waiting_;
};

}  // namespace

std::unique_ptr<FrameSink> make_still_sink(const Output& output, const SinkOptions& options) {
  return std::make_unique<StillSink>(output, options);
}

}  // namespace keyflow::media
