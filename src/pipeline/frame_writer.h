#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/colour_match.h"
#include "pipeline/render.h"

namespace keyflow::media {
class FrameSink;
}

namespace keyflow::pipeline {

/// The file of picture `index` of several: "a.png" -> "a_0.png"; a pattern's own number.
std::filesystem::path batch_path(const std::filesystem::path& path, int64_t index);
class Upscaler;

/// Takes decoded frames in order and hands them on as bytes: joins segments at their shared border frame, matches
/// colours where asked, puts back what a mask keeps, and notices a video of one colour. Several pictures become a file
/// each, with the settings that make this one alone.
class FrameWriter {
 public:
  /// `path` "" writes nothing (latents are the output, but a following segment needs the last frame). `upscaler`
  /// enlarges each frame before it is written; null for none.
  FrameWriter(const std::filesystem::path& path, const RenderPlan& plan, const std::string& metadata,
              std::shared_ptr<Upscaler> upscaler = nullptr);
  ~FrameWriter();

  /// Frames come from segment `index` from now on. The border frame is the mean of what both segments made of it.
  void begin_segment(size_t index, const std::vector<ColourTarget>& targets);
  /// video [1, 3, T, H, W] float32 in [-1, 1], the segment's next frames
  void write(const at::Tensor& video);
  void finish();

  /// The last frame of the segment that has ended, [3, H, W].
  const at::Tensor& last_frame() const { return border_; }
  int64_t frames_written() const { return written_; }
  bool constant() const { return constant_; }
  std::vector<std::string> notes() const;
  std::vector<std::filesystem::path> outputs() const;

 private:
  void open(const std::filesystem::path& path, const std::string& metadata);
  void emit(at::Tensor frame);

  const RenderPlan& plan_;
  std::filesystem::path path_;
  std::shared_ptr<Upscaler> upscaler_;
  std::unique_ptr<media::FrameSink> sink_;
  ColourMatch colours_;
  size_t segment_ = 0;
  int64_t frame_ = 0, written_ = 0;
  at::Tensor border_;       // [3, H, W] last frame of the segment before
  at::Tensor first_pixel_;  // [3, 1, 1] uint8
  at::Tensor kept_;         // [3, H, W] uint8 picture to start from, where there is a mask
  at::Tensor mask_;         // [H, W]
  bool constant_ = true;
};

}  // namespace keyflow::pipeline
