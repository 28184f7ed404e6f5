#include "pipeline/frame_writer.h"

#include "media/frame_sink.h"
#include "media/output.h"
#include "media/resize.h"
#include "pipeline/init_image.h"
#include "pipeline/metadata.h"
#include "pipeline/upscaler.h"

namespace keyflow::pipeline {

std::filesystem::path batch_path(const std::filesystem::path& path, int64_t index) {
  const media::Output output = media::parse_output(path, 1);
  if (output.is_pattern) return output.frame_path(index);
  const std::string name = path.stem().string() + "_" + std::to_string(index) + path.extension().string();
  return path.parent_path() / name;
}

FrameWriter::FrameWriter(const std::filesystem::path& path, const RenderPlan& plan, const std::string& metadata,
                         std::shared_ptr<Upscaler> upscaler)
    : plan_(plan), path_(path), upscaler_(std::move(upscaler)), mask_(mask_of(plan)) {
  if (mask_.defined()) kept_ = media::to_uint8(init_picture_of(plan).contiguous(), media::Quantize::nearest);
  if (plan.settings.batch <= 1) open(path, metadata);
}

void FrameWriter::open(const std::filesystem::path& path, const std::string& metadata) {
  if (path.empty()) return;
  const auto& settings = plan_.settings;
  media::SinkOptions options;
  const int64_t scale = upscaler_ ? upscaler_->scale() : 1;
  options.width = scale * settings.width;
  options.height = scale * settings.height;
  options.fps = settings.fps;
  options.frames = settings.frames;
  options.crf = static_cast<int>(settings.crf);
  options.settings_json = metadata;
  sink_ = media::open_sink(path, options);
}

FrameWriter::~FrameWriter() = default;

void FrameWriter::begin_segment(size_t index, const std::vector<ColourTarget>& targets) {
  if (plan_.settings.batch > 1 && !path_.empty()) {
    finish();
    RenderPlan single = plan_;
    single.settings.seed += index;
    single.settings.batch = 1;
    open(batch_path(path_, static_cast<int64_t>(index)), metadata_text(single));
  }
  segment_ = index;
  frame_ = 0;
  colours_.begin(plan_.settings.color_match ? targets : std::vector<ColourTarget>{});
}

void FrameWriter::write(const at::Tensor& video) {
  const bool joined = plan_.settings.batch <= 1;
  const bool last_segment = segment_ + 1 == plan_.segments.size() || !joined;
  for (int64_t t = 0; t < video.size(2); ++t, ++frame_) {
    at::Tensor frame = colours_(video[0].select(1, t), frame_);  // [3, H, W]
    if (frame_ == 0 && segment_ > 0 && joined) frame = (frame + border_) / 2;
    const bool is_border = frame_ + 1 == plan_.segments[segment_].frames && !last_segment;
    if (is_border) {
      border_ = frame.contiguous();
    } else {
      emit(frame);
    }
  }
}

void FrameWriter::emit(at::Tensor frame) {
  // Both programs round still pictures and cut off the fractions of videos.
  const auto rule = plan_.settings.frames == 1 ? media::Quantize::nearest : media::Quantize::truncate;
  at::Tensor rgb = media::to_uint8(frame.contiguous(), rule);
  if (mask_.defined()) {
    // Untouched pixels keep their bytes; at the rim the two pictures mix.
    const at::Tensor mixed = kept_ + (rgb.to(at::kFloat) - kept_) * mask_;
    rgb = mixed.round().clamp(0, 255).to(at::kByte);
  }
  if (!first_pixel_.defined()) first_pixel_ = rgb.narrow(1, 0, 1).narrow(2, 0, 1).clone();
  if (constant_) constant_ = rgb.eq(first_pixel_).all().item<bool>();
  if (sink_) sink_->write(upscaler_ ? (*upscaler_)(rgb) : rgb);
  ++written_;
}

void FrameWriter::finish() {
  if (sink_) sink_->finish();
}

std::vector<std::string> FrameWriter::notes() const {
  std::vector<std::string> notes;
  if (const auto text = colours_.note(); !text.empty()) notes.push_back(text);
  if (sink_ && !sink_->note().empty()) notes.push_back(sink_->note());
  return notes;
}

std::vector<std::filesystem::path> FrameWriter::outputs() const {
  if (path_.empty()) return {};
  if (plan_.settings.batch > 1) {
    std::vector<std::filesystem::path> pictures;
    for (int64_t index = 0; index < written_; ++index) pictures.push_back(batch_path(path_, index));
    return pictures;
  }
  const media::Output output = media::parse_output(path_, plan_.settings.frames);
  if (!output.is_pattern) return {path_};
  std::vector<std::filesystem::path> paths;
  for (int64_t index = 0; index < written_; ++index) paths.push_back(output.frame_path(index));
  return paths;
}

}  // namespace keyflow::pipeline
