#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

/// What pipeline_reference.py wrote: model folders t2v, i2v, flf2v, official_t2v, ..., first.png, last.png.
std::filesystem::path reference_folder();
/// One tensor of reference.safetensors.
at::Tensor reference_tensor(const std::string& name);

/// The call of the reference script: "t2v", "i2v" or "flf2v" on the model folder of that name or another one, in fp32.
RenderSettings reference_settings(const std::string& kind, const std::string& folder = "");

/// A new empty folder, removed with everything in it at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A copy of a model folder in which one tensor of one part has been changed.
void copy_with_change(const std::filesystem::path& from, const std::filesystem::path& to, const std::string& part,
                      const std::string& tensor, const std::function<void(at::Tensor&)>& change);

/// Keeps what a render says; stops it after `stop_after` parts of `stop_phase` when that is above 0.
class Listener final : public Observer {
 public:
  int64_t stop_after = 0;
  Phase stop_phase = Phase::denoise;
  std::vector<std::string> notes, warnings;
  std::map<Phase, int64_t> done, total;
  std::vector<at::Tensor> previews;

  void progress(Phase phase, int64_t now, int64_t all) override;
  void preview(int64_t, const at::Tensor& rgb) override { previews.push_back(rgb); }
  void note(const std::string& text) override { notes.push_back(text); }
  void warning(const std::string& text) override { warnings.push_back(text); }
  bool wants_stop() override { return stop_after > 0 && done[stop_phase] >= stop_after; }
};

/// The pictures of a "%d.png" output, [T, 3, H, W] uint8.
at::Tensor read_frames(const RenderResult& result);

/// The message of the Error that `run` throws and its kind; "" when it throws none.
struct Failure {
  std::string message;
  ErrorKind kind = ErrorKind::internal;
  bool holds(std::initializer_list<std::string> parts) const;
};
Failure failure_of(const std::function<void()>& run);

std::string bytes_of(const std::filesystem::path& path);

}  // namespace keyflow::pipeline
