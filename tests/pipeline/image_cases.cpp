#include "tests/pipeline/image_cases.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "pipeline/latents_file.h"
#include "tests/pipeline/tiny_models.h"
#include "weights/tensor_file.h"

namespace keyflow::pipeline {

using nlohmann::json;
namespace {

const json& reference() {
  static const json object = read_json(image_folder() / "cases.json");
  return object;
}

const json& case_of(const std::string& name) {
  for (const auto& entry : reference().at("cases")) {
    if (entry.at("name") == name) return entry;
  }
  fail(ErrorKind::internal, "image_reference.py makes no case ", name);
}

}  // namespace

std::filesystem::path image_folder() { return KEYFLOW_BINARY_DIR "/reference/image"; }

std::vector<std::string> image_case_names() {
  std::vector<std::string> names;
  for (const auto& entry : reference().at("cases")) names.push_back(entry.at("name").get<std::string>());
  return names;
}

at::Tensor image_tensor(const std::string& name) {
  static const auto file = weights::open_tensors(image_folder() / "reference.safetensors");
  return file->read(name);
}

std::string expected_of(const std::string& name) { return case_of(name).value("expected", name); }

json image_settings(const std::string& name) { return case_of(name).at("settings"); }

json single_file_settings(const std::string& name) {
  json object = image_settings(name);
  object.erase("model");
  object.update(reference().at("single_files").at(name));
  return object;
}

RenderSettings settings_from(const json& object) {
  RenderSettings settings;
  apply_json(settings, object, Origin::command_line, "cases.json");
  return settings;
}

at::Tensor rendered_latents(const RenderSettings& settings) {
  const TemporaryFolder folder;
  Listener listener;
  OutputOptions output;
  output.path = folder / "out.safetensors";
  return load_latents(render(settings, output, listener).outputs.at(0)).segments.at(0).clone();
}

}  // namespace keyflow::pipeline
