#include "pipeline/sampler_state_file.h"

#include <charconv>

#include "core/error.h"
#include "weights/tensor_file.h"

namespace keyflow::pipeline {
namespace {

constexpr const char *kLatents = "latents", *kHistory = "history.", *kFinished = "finished.", *kStep = "step",
                     *kSettings = "keyflow";

/// The tensors prefix0, prefix1, ... as far as they go, copied out of the mapping.
std::vector<at::Tensor> numbered(const weights::TensorFile& file, const std::string& prefix) {
  std::vector<at::Tensor> list;
  for (;;) {
    const std::string name = prefix + std::to_string(list.size());
    if (file.find(name) == nullptr) return list;
    list.push_back(file.read(name).clone());
  }
}

}  // namespace

void save_run(const std::filesystem::path& path, const SavedRun& run) {
  std::vector<std::pair<std::string, at::Tensor>> tensors{{kLatents, run.sampler.latents.contiguous()}};
  const auto add = [&](const std::string& prefix, const std::vector<at::Tensor>& list) {
    for (size_t i = 0; i < list.size(); ++i) tensors.emplace_back(prefix + std::to_string(i), list[i].contiguous());
  };
  add(kHistory, run.sampler.history);
  add(kFinished, run.finished);
  weights::save_safetensors(path, tensors, {{kStep, std::to_string(run.sampler.step)}, {kSettings, run.settings}});
}

std::optional<SavedRun> load_run(const std::filesystem::path& path, const std::string& settings) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const std::string where = printable(path.string(), 400);
  const auto file = weights::open_tensors(path);
  const auto entry = [&](const char* key) {
    const auto found = file->metadata().find(key);
    require(found != file->metadata().end() && file->find(kLatents) != nullptr, ErrorKind::weights, where,
            ": expected the saved state of a render, found ", file->format(), " without it");
    return found->second;
  };
  SavedRun run;
  run.settings = entry(kSettings);
  require(run.settings == settings, ErrorKind::config, where,
          ": saved by a render with other settings; hint: give the same settings, or render without --resume");
  const std::string step = entry(kStep);
  const auto [end, code] = std::from_chars(step.data(), step.data() + step.size(), run.sampler.step);
  require(code == std::errc() && end == step.data() + step.size() && run.sampler.step >= 0, ErrorKind::weights, where,
          ": step: expected a number, found \"", printable(step), "\"");
  run.sampler.latents = file->read(kLatents).clone();
  run.sampler.history = numbered(*file, kHistory);
  run.finished = numbered(*file, kFinished);
  return run;
}

}  // namespace keyflow::pipeline
