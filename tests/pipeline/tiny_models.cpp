#include "tests/pipeline/tiny_models.h"

#include <ATen/ops/stack.h>
#include <unistd.h>

#include "core/files.h"
#include "media/picture.h"
#include "weights/tensor_file.h"

namespace keyflow::pipeline {

namespace fs = std::filesystem;

fs::path reference_folder() { return KEYFLOW_BINARY_DIR "/reference/pipeline"; }

at::Tensor reference_tensor(const std::string& name) {
  return weights::open_tensors(reference_folder() / "reference.safetensors")->read(name);
}

RenderSettings reference_settings(const std::string& kind, const std::string& folder) {
  RenderSettings settings;
  const auto set = [&](const char* field, const std::string& text) {
    assign(settings, field, text, Origin::command_line, field);
  };
  set("model", (reference_folder() / (folder.empty() ? kind : folder)).string());
  set("prompt", "the cat  jumps on a red box");
  set("negative", "blurred, low quality");
  set("width", "48");
  set("height", "32");
  set("frames", "9");
  set("steps", "4");
  set("seed", "7");
  set("shift", "3");
  set("guidance_scale", "4");
  set("conventions", "diffusers");
  set("dtype", "fp32");
  if (kind != "t2v") set("keyframes", "0=" + (reference_folder() / "first.png").string());
  if (kind == "flf2v") set("keyframes", "-1=" + (reference_folder() / "last.png").string());
  return settings;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "keyflow-test-XXXXXX").string();
  require(::mkdtemp(name.data()) != nullptr, ErrorKind::io, "no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void copy_with_change(const fs::path& from, const fs::path& to, const std::string& part, const std::string& tensor,
                      const std::function<void(at::Tensor&)>& change) {
  fs::copy(from, to, fs::copy_options::recursive);
  const auto file = weights::open_tensors(from / part);
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& info : file->tensors()) {
    tensors.emplace_back(info.name, file->read(info.name).clone());
    if (info.name == tensor) change(tensors.back().second);
  }
  require(file->find(tensor) != nullptr, ErrorKind::internal, "no tensor ", tensor, " in ", part);
  weights::save_safetensors(to / part / file->path().filename(), tensors, file->metadata());
}

void Listener::progress(Phase phase, int64_t now, int64_t all) {
  done[phase] = now;
  total[phase] = all;
}

at::Tensor read_frames(const RenderResult& result) {
  std::vector<at::Tensor> frames;
  for (const auto& path : result.outputs) frames.push_back(media::read_picture(path).rgb);
  return at::stack(frames);
}

bool Failure::holds(std::initializer_list<std::string> parts) const {
  return std::all_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return message.find(part) != std::string::npos; });
}

Failure failure_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return {error.what(), error.kind()};
  }
  return {};
}

std::string bytes_of(const fs::path& path) { return read_file(path, 1u << 30); }

}  // namespace keyflow::pipeline
