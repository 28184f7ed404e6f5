#pragma once
#include <memory>

#include "media/frame_sink.h"
#include "media/output.h"

// The sinks behind open_sink, and what they share.
namespace keyflow::media {

/// Counts and checks frames; the rest is the format's.
class CheckedSink : public FrameSink {
 public:
  CheckedSink(const Output& output, const SinkOptions& options);

  void write(const at::Tensor& rgb) final;
  void finish() final;

 protected:
  /// rgb [3, H, W] uint8, contiguous, of the promised size; index counts from 0.
  virtual void write_frame(const at::Tensor& rgb, int64_t index) = 0;
  virtual void complete() = 0;

  const Output output_;
  const SinkOptions options_;
  const std::string where_;  ///< the path, for messages

 private:
  int64_t written_ = 0;
};

std::unique_ptr<FrameSink> make_video_sink(const Output& output, const SinkOptions& options);
std::unique_ptr<FrameSink> make_gif_sink(const Output& output, const SinkOptions& options);
std::unique_ptr<FrameSink> make_webp_sink(const Output& output, const SinkOptions& options);
std::unique_ptr<FrameSink> make_apng_sink(const Output& output, const SinkOptions& options);
std::unique_ptr<FrameSink> make_still_sink(const Output& output, const SinkOptions& options);

}  // namespace keyflow::media
