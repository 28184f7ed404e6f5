#include "pipeline/model_parts.h"

#include <nlohmann/json.hpp>

#include "core/data_folder.h"
#include "core/error.h"
#include "core/json.h"
#include "weights/formats.h"

namespace keyflow::pipeline {

using models::NetworkType;
using models::Part;
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string quoted(const fs::path& path) { return printable(path.string(), 400); }

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// The path if it exists, checked to lie inside the folder; else "".
fs::path inside(const fs::path& folder, const fs::path& name) {
  const fs::path path = folder / name;
  if (!is_there(path)) return {};
  weights::require_inside(folder, path);
  return path;
}

/// The config.json in `folder` if it says that it describes this network (a folder may hold another part's).
fs::path config_beside(const fs::path& folder, const NetworkType& type) {
  const fs::path path = inside(folder, "config.json");
  if (path.empty()) return {};
  const json config = read_json(path);
  require(config.is_object(), ErrorKind::config, quoted(path), ": expected an object, found ", config.type_name());
  const auto class_name = config.find("_class_name");
  if (class_name != config.end() && class_name->is_string()) {
    return type.has_class(class_name->get<std::string>()) ? path : fs::path();
  }
  const auto classes = config.find("architectures");
  if (classes == config.end() || !classes->is_array()) return type.part == Part::transformer ? path : fs::path();
  for (const auto& name : *classes) {
    if (name.is_string() && type.has_class(name.get<std::string>())) return path;
  }
  return {};
}

/// open_part of a file that must hold this part's network.
PartFile open_part_of(const fs::path& path, Part part) {
  PartFile opened = open_part(path);
  const auto& tensors = opened.file->tensors();
  const NetworkType* found = models::type_of(tensors);
  if (found != nullptr && found->part == part) return opened;
  fail(ErrorKind::weights, quoted(opened.file->path()), ": expected a Wan ", name_of(part), ", found ",
       found == nullptr ? "other tensors" : "a " + std::string(name_of(found->part)),
       " (first: ", tensors.empty() ? "none" : printable(tensors.front().name), ")",
       found == nullptr ? "" : "; hint: give it by " + std::string(option_of(found->part)));
}

/// True for the class of a network that can be this part.
bool is_class_of(Part part, std::string_view name) {
  const auto& types = models::network_types();
  return std::any_of(types.begin(), types.end(),
                     [&](const auto& type) { return type.part == part && type.has_class(name); });
}

const std::map<std::string, Part>& diffusers_parts() {
  static const std::map<std::string, Part> list{{"transformer", Part::transformer},
                                                {"text_encoder", Part::text_encoder},
                                                {"vae", Part::vae},
                                                {"image_encoder", Part::image_encoder}};
  return list;
}

/// Names of model_index.json must be plain parts that keyflow knows, of classes it can build.
void check_model_index(const fs::path& path) {
  const json index = read_json(path);
  const std::string where = quoted(path);
  require(index.is_object(), ErrorKind::config, where, ": expected an object, found ", index.type_name());
  const auto pipeline = index.find("_class_name");
  if (pipeline != index.end() && pipeline->is_string()) {
    const auto name = pipeline->get<std::string>();
    require(name == "WanPipeline" || name == "WanImageToVideoPipeline", ErrorKind::unsupported, where,
            ": _class_name: expected WanPipeline or WanImageToVideoPipeline, found ", printable(name));
  }
  const std::vector<std::string> others{"tokenizer", "scheduler", "image_processor", "transformer_2"};
  for (const auto& [name, value] : index.items()) {
    if (!value.is_array()) continue;
    const auto known = diffusers_parts().find(name);
    const bool listed = known != diffusers_parts().end() || std::count(others.begin(), others.end(), name) > 0;
    require(listed, ErrorKind::config, where, ": unknown part \"", printable(name), "\"");
    require(value.size() == 2, ErrorKind::config, where, ": part \"", printable(name),
            "\": expected [library, class], found ", value.size(), " entries");
    if (value[1].is_null()) continue;
    require(value[1].is_string(), ErrorKind::config, where, ": part \"", printable(name), "\": expected a class name");
    require(name != "transformer_2", ErrorKind::unsupported, where,
            ": a model of two transformers (Wan 2.2 A14B); expected one");
    require(known == diffusers_parts().end() || is_class_of(known->second, value[1].get<std::string>()),
            ErrorKind::unsupported, where, ": part \"", name, "\": unknown class ",
            printable(value[1].get<std::string>()));
    require(is_there(path.parent_path() / name), ErrorKind::config, where, ": part \"", name,
            "\": expected a folder of that name, found none");
  }
}

void open_diffusers_folder(ModelParts& model) {
  model.layout = "diffusers folder";
  if (const fs::path index = inside(model.folder, "model_index.json"); !index.empty()) check_model_index(index);
  for (const auto& [name, part] : diffusers_parts()) {
    const fs::path path = inside(model.folder, name);
    if (!path.empty() && model.parts.count(part) == 0) model.parts[part] = open_part_of(path, part);
  }
  if (model.tokenizer.empty()) model.tokenizer = inside(model.folder, "tokenizer");
  model.scheduler_config = inside(model.folder, "scheduler/scheduler_config.json");
  model.preprocessor_config = inside(model.folder, "image_processor/preprocessor_config.json");
}

/// The checkpoints of a folder, an index before its shards; shards are left out.
std::vector<std::shared_ptr<weights::TensorFile>> open_checkpoints(const fs::path& folder) {
  std::vector<fs::path> indexes, files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    if (name.starts_with(".") || fs::is_directory(entry.path(), ignored)) continue;
    const fs::path ending = entry.path().extension();
    if (name.ends_with(".safetensors.index.json")) indexes.push_back(entry.path());
    for (const char* known : {".safetensors", ".sft", ".pth", ".pt", ".ckpt", ".bin"}) {
      if (ending == known) files.push_back(entry.path());
    }
  }
  std::sort(indexes.begin(), indexes.end());
  std::sort(files.begin(), files.end());
  std::vector<std::shared_ptr<weights::TensorFile>> opened;
  std::set<std::string> shards;
  for (const auto& path : indexes) {
    weights::require_inside(folder, path);
    opened.push_back(weights::open_tensors(path));
    for (const auto& part : opened.back()->parts()) shards.insert(part.file->path().filename().string());
  }
  for (const auto& path : files) {
    if (shards.count(path.filename().string()) > 0) continue;
    weights::require_inside(folder, path);
    opened.push_back(weights::open_tensors(path));
  }
  return opened;
}

void open_official_folder(ModelParts& model) {
  model.layout = "official folder";
  std::map<Part, PartFile> found;
  std::vector<std::string> others;
  for (auto& file : open_checkpoints(model.folder)) {
    const NetworkType* type = models::type_of(file->tensors());
    if (type == nullptr) {
      others.push_back(quoted(file->path().filename()));
      continue;
    }
    const Part part = type->part;
    const auto before = found.find(part);
    require(before == found.end() || model.parts.count(part) > 0, ErrorKind::weights, quoted(model.folder),
            ": expected one ", name_of(part), ", found ",
            before == found.end() ? "" : quoted(before->second.file->path().filename()), " and ",
            quoted(file->path().filename()), "; hint: name one by ", option_of(part));
    found[part] = {file, config_beside(model.folder, *type)};
  }
  if (found.empty()) {
    throw Error(
        ErrorKind::weights,
        c10::str(quoted(model.folder), ": expected a diffusers folder (model_index.json) or the files of a Wan ",
                 "release; found ", others.empty() ? "no checkpoint" : "checkpoints of no known network"),
        others);
  }
  for (auto& [part, opened] : found) model.parts.emplace(part, std::move(opened));
  for (const char* name : {"google/umt5-xxl", "umt5-xxl", "tokenizer", "tokenizer.json", "spiece.model"}) {
    if (model.tokenizer.empty()) model.tokenizer = inside(model.folder, name);
  }
}

fs::path model_path(const std::string& name) {
  if (name != "mini") return name;
  const fs::path path = data_folder() / "weights" / "mini";
  require(is_there(path), ErrorKind::io, "model mini: expected its weights in ", quoted(path), ", found nothing there");
  return path;
}

}  // namespace

PartFile open_part(const fs::path& path) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(path, ignored);
  PartFile part;
  part.file = weights::open_tensors(path);
  const NetworkType* type = models::type_of(part.file->tensors());
  const fs::path folder = is_folder ? path : path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (type != nullptr) part.config = config_beside(folder, *type);
  return part;
}

ModelParts find_parts(const RenderSettings& settings, Need need) {
  ModelParts model;
  const auto given = [&](Part part, const std::string& path) {
    if (!path.empty()) model.parts[part] = open_part_of(path, part);
  };
  given(Part::transformer, settings.transformer);
  given(Part::text_encoder, settings.text_encoder);
  given(Part::vae, settings.vae);
  given(Part::image_encoder, settings.image_encoder);
  model.tokenizer = settings.tokenizer;

  const bool suffices = need == Need::vae    ? model.parts.count(Part::vae) > 0
                        : need == Need::text ? model.parts.count(Part::text_encoder) > 0 && !model.tokenizer.empty()
                                             : false;
  model.layout = "files";
  if (suffices && settings.origins.count("model") == 0) return model;

  const fs::path path = model_path(settings.model);
  std::error_code error;
  const auto status = fs::status(path, error);
  require(fs::exists(status), ErrorKind::io, "model ", quoted(path), ": ", error ? error.message() : "not found");
  if (!fs::is_directory(status)) {
    model.parts.emplace(Part::transformer, open_part_of(path, Part::transformer));
    return model;
  }
  model.folder = path;
  model.preset = inside(path, "preset.json");
  if (is_there(path / "model_index.json") || is_there(path / "transformer")) {
    open_diffusers_folder(model);
  } else {
    open_official_folder(model);
  }
  return model;
}

}  // namespace keyflow::pipeline
