#pragma once
#include <chrono>
#include <filesystem>

#include "apps/time_estimate.h"
#include "pipeline/render.h"

namespace keyflow::apps {

enum class ProgressStyle { bar, plain, json };

/// --progress as given; "auto" is a bar where standard error is a terminal, else plain lines.
ProgressStyle progress_style(const std::string& name);

/// Tells a person or a program how a render goes, on standard error: one bar over all phases, or a line at each phase
/// and each tenth, or one JSON object per line.
class Progress final : public pipeline::Observer {
 public:
  Progress(ProgressStyle style, bool verbose, std::filesystem::path preview_path);
  ~Progress() override;

  void progress(pipeline::Phase phase, int64_t done, int64_t total) override;
  void preview(int64_t step, const at::Tensor& rgb) override;
  void note(const std::string& text) override;
  void warning(const std::string& text) override;

  /// The last word: what was written (`about`: its size and seed), how long the phases took, which needed most memory.
  void finish(const pipeline::RenderResult& result, const std::string& about);

 private:
  double now_s() const;
  void line(const std::string& text);
  void draw_bar(const std::string& name, int64_t done, int64_t total, bool force);

  ProgressStyle style_;
  bool verbose_;
  std::filesystem::path preview_path_;
  TimeEstimate estimate_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::string printed_phase_;
  int64_t printed_tenth_ = 0;
  double drawn_s_ = -1;
  bool bar_on_screen_ = false;
};

}  // namespace keyflow::apps
