#include "pipeline/model_parts.h"

#include <nlohmann/json.hpp>

#include "core/data_folder.h"
#include "core/error.h"
#include "core/json.h"
#include "models/clip/text_load.h"
#include "models/t5/config.h"
#include "text/prompt_syntax.h"
#include "text/tokenizer.h"
#include "weights/formats.h"
#include "weights/lora_folder.h"

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
  if (classes == config.end() || !classes->is_array()) return type.part == Part::denoiser ? path : fs::path();
  for (const auto& name : *classes) {
    if (name.is_string() && type.has_class(name.get<std::string>())) return path;
  }
  return {};
}

bool is_text(Part part) {
  return part == Part::text_encoder || part == Part::text_encoder_2 || part == Part::t5_encoder;
}

/// The place of a network that was found where `wanted` was looked for: which text encoder it is, its tensors say, but
/// of two CLIPs only where it lies.
bool can_be(const PartFile& found, Part wanted, Part& place) {
  if (found.type == nullptr) return false;
  place = found.type->part;
  if (place == wanted) return true;
  if (!is_text(wanted) || !is_text(place)) return false;
  if (place == Part::text_encoder && wanted == Part::text_encoder_2) place = Part::text_encoder_2;
  return true;
}

/// Opens what must hold this part's network, and puts it in its place unless that is taken.
const NetworkType* add_part(ModelParts& model, const fs::path& path, Part wanted) {
  const std::vector<PartFile> opened = open_part(path);
  for (const auto& found : opened) {
    Part place = wanted;
    if (!can_be(found, wanted, place)) continue;
    model.parts.emplace(place, found);
    return found.type;
  }
  const PartFile& first = opened.front();
  const auto& tensors = first.file->tensors();
  fail(ErrorKind::weights, quoted(first.file->path()), ": expected a ", name_of(wanted), ", found ",
       first.type == nullptr ? "other tensors" : std::string(first.type->title),
       " (first: ", tensors.empty() ? "none" : printable(tensors.front().name), ")",
       first.type == nullptr ? "" : "; hint: give it by " + std::string(option_of(first.type->part)));
}

/// True for the class of a network that keyflow builds.
bool is_known_class(std::string_view name) {
  const auto& types = models::network_types();
  return std::any_of(types.begin(), types.end(), [&](const auto& type) { return type.has_class(name); });
}

/// The folders of a diffusers model. A text encoder's place is settled by its tensors.
const std::vector<std::pair<std::string, Part>>& diffusers_parts() {
  static const std::vector<std::pair<std::string, Part>> list{
      {"transformer", Part::denoiser},       {"unet", Part::denoiser},
      {"text_encoder", Part::text_encoder},  {"text_encoder_2", Part::text_encoder_2},
      {"text_encoder_3", Part::t5_encoder},  {"vae", Part::vae},
      {"image_encoder", Part::image_encoder}};
  return list;
}

/// Names of model_index.json must be plain parts that keyflow knows, of classes it can build. Returns those classes.
std::map<std::string, std::string> read_model_index(const fs::path& path) {
  const json index = read_json(path);
  const std::string where = quoted(path);
  require(index.is_object(), ErrorKind::config, where, ": expected an object, found ", index.type_name());
  // What keyflow leaves alone: it has tokenizers and schedulers of its own making, and no judgement of pictures.
  const std::set<std::string> others{"tokenizer",       "tokenizer_2",       "tokenizer_3",    "scheduler",
                                     "image_processor", "feature_extractor", "safety_checker", "transformer_2"};
  std::map<std::string, std::string> classes;
  for (const auto& [name, value] : index.items()) {
    if (!value.is_array()) continue;
    const auto known = std::find_if(diffusers_parts().begin(), diffusers_parts().end(),
                                    [&, name = name](const auto& entry) { return entry.first == name; });
    const bool built = known != diffusers_parts().end();
    require(built || others.count(name) > 0, ErrorKind::config, where, ": unknown part \"", printable(name), "\"");
    require(value.size() == 2, ErrorKind::config, where, ": part \"", printable(name),
            "\": expected [library, class], found ", value.size(), " entries");
    if (value[1].is_null()) continue;
    require(value[1].is_string(), ErrorKind::config, where, ": part \"", printable(name), "\": expected a class name");
    require(name != "transformer_2", ErrorKind::unsupported, where,
            ": a model of two transformers (Wan 2.2 A14B); expected one");
    require(!built || is_known_class(value[1].get<std::string>()), ErrorKind::unsupported, where, ": part \"", name,
            "\": unknown class ", printable(value[1].get<std::string>()));
    require(name == "safety_checker" || name == "feature_extractor" || is_there(path.parent_path() / name),
            ErrorKind::config, where, ": part \"", name, "\": expected a folder of that name, found none");
    if (built) classes[name] = value[1].get<std::string>();
  }
  return classes;
}

/// Where the tokenizer of a folder belongs: to the text encoder of the same number, or to what was given instead of it.
void add_tokenizers(ModelParts& model) {
  struct Numbered {
    const char* number;
    std::vector<Part> usual;
  };
  for (const auto& [number, usual] :
       {Numbered{"", {Part::text_encoder, Part::t5_encoder}}, Numbered{"_2", {Part::text_encoder_2, Part::t5_encoder}},
        Numbered{"_3", {Part::t5_encoder}}}) {
    const fs::path tokenizer = inside(model.folder, std::string("tokenizer") + number);
    if (tokenizer.empty()) continue;
    const std::string encoder = (model.folder / (std::string("text_encoder") + number)).string() + "/";
    const auto same = std::find_if(model.parts.begin(), model.parts.end(), [&](const auto& entry) {
      return is_text(entry.first) && entry.second.file->path().string().starts_with(encoder);
    });
    if (same != model.parts.end()) {
      model.tokenizers.emplace(same->first, tokenizer);
      continue;
    }
    const auto part = std::find_if(usual.begin(), usual.end(), [&](Part usual_part) {
      return model.has(usual_part) && !model.tokenizers.count(usual_part);
    });
    if (part != usual.end()) model.tokenizers.emplace(*part, tokenizer);
  }
}

void open_diffusers_folder(ModelParts& model) {
  model.layout = "diffusers folder";
  const fs::path index = inside(model.folder, "model_index.json");
  const auto classes = index.empty() ? std::map<std::string, std::string>() : read_model_index(index);
  for (const auto& [name, part] : diffusers_parts()) {
    const fs::path path = inside(model.folder, name);
    if (path.empty() || (model.has(part) && !is_text(part))) continue;
    const NetworkType* type = add_part(model, path, part);
    const auto stated = classes.find(name);
    require(stated == classes.end() || type->has_class(stated->second), ErrorKind::config, quoted(index), ": part \"",
            name, "\": expected tensors of the class ", printable(stated == classes.end() ? "" : stated->second),
            ", found ", type->title);
  }
  add_tokenizers(model);
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
    for (const char* known : {".safetensors", ".sft", ".pth", ".pt", ".ckpt", ".bin", ".gguf"}) {
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

/// All networks of a file in their places, where those are free.
void add_networks(ModelParts& model, const std::vector<PartFile>& networks) {
  for (const auto& found : networks) {
    const Part part =
        found.type->part == Part::text_encoder && found.index > 0 ? Part::text_encoder_2 : found.type->part;
    model.parts.emplace(part, found);
  }
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
    require(before == found.end() || model.has(part), ErrorKind::weights, quoted(model.folder), ": expected one ",
            name_of(part), ", found ", before == found.end() ? "" : quoted(before->second.file->path().filename()),
            " and ", quoted(file->path().filename()), "; hint: name one by ", option_of(part));
    found[part] = {file, config_beside(model.folder, *type), type, 0};
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
    const fs::path tokenizer = inside(model.folder, name);
    if (!tokenizer.empty()) model.tokenizers.emplace(Part::t5_encoder, tokenizer);
  }
}

/// A checkpoint of one network, or of a whole model. A network that was given by an option keeps its place.
void open_single_file(ModelParts& model, const fs::path& path) {
  const std::vector<PartFile> networks = open_part(path);
  model.layout = networks.size() > 1 ? "single file" : "files";
  if (networks.front().type == nullptr) add_part(model, path, Part::denoiser);  // says what it is not
  add_networks(model, networks);
}

fs::path model_path(const std::string& name) {
  if (name != "mini") return name;
  const fs::path path = data_folder() / "weights" / "mini";
  require(is_there(path), ErrorKind::io, "model mini: expected its weights in ", quoted(path), ", found nothing there");
  return path;
}

/// Published single files come without vocabularies: CLIP's and T5's are shipped. umT5's is its model's own.
void add_shipped_tokenizers(ModelParts& model) {
  const fs::path shipped = data_folder() / "configs" / "tokenizers";
  for (const Part part : {Part::text_encoder, Part::text_encoder_2}) {
    if (!model.has(part) || model.tokenizers.count(part) > 0) continue;
    const PartFile& found = model.parts.at(part);
    const auto keys = clip::text_towers(found.file->tensors()).at(static_cast<size_t>(found.index));
    const clip::TextConfig config = clip::text_config(*found.file, keys, found.config), published;
    if (config.vocab_size != published.vocab_size) continue;
    model.tokenizers[part] = shipped / (config.hidden_size > published.hidden_size ? "openclip" : "clip");
  }
  if (!model.has(Part::t5_encoder) || model.tokenizers.count(Part::t5_encoder) > 0) return;
  const int64_t vocabulary =
      t5::encoder_config_from_tensors(model.parts.at(Part::t5_encoder).file->tensors()).vocab_size;
  constexpr int64_t kT5Vocabulary = 32128;
  if (vocabulary == kT5Vocabulary) model.tokenizers[Part::t5_encoder] = shipped / "t5" / "spiece.model";
}

/// A file, or every file of a folder that can be one, in the order of their names.
void add_embeddings(ModelParts& model, const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    model.embeddings.push_back(weights::read_textual_inversion(path));
    return;
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string ending = entry.path().extension().string();
    for (const char* known : {".safetensors", ".pt", ".bin", ".ckpt"}) {
      if (ending == known) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) model.embeddings.push_back(weights::read_textual_inversion(file));
}

/// The settings' LoRAs, then the prompt's.
void add_loras(ModelParts& model, const RenderSettings& settings) {
  std::vector<weights::LoraRequest> requests;
  for (const auto& lora : settings.loras) requests.push_back({lora.path, lora.weight, lora.text_weight});
  std::vector<text::PromptLora> named;
  if (settings.prompt_syntax != "plain") text::without_loras(settings.prompt, named);
  for (const auto& lora : named) {
    require(!lora.high_noise, ErrorKind::unsupported, "prompt: LoRA ", printable(lora.name),
            ": one for the expert of high noise, which no model here has");
    const fs::path folder = settings.lora_folder.empty() ? fs::path(".") : fs::path(settings.lora_folder);
    requests.push_back({weights::find_lora(folder, lora.name), lora.model_weight, lora.text_weight});
  }
  model.loras = weights::LoraSet(requests);
  model.lora_mode = settings.lora_mode == "merged" ? weights::LoraMode::merged : weights::LoraMode::beside;
}

void open_model_path(ModelParts& model, const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  require(fs::exists(status), ErrorKind::io, "model ", quoted(path), ": ", error ? error.message() : "not found");
  if (!fs::is_directory(status)) return open_single_file(model, path);
  model.folder = path;
  model.preset = inside(path, "preset.json");
  const bool is_diffusers =
      is_there(path / "model_index.json") || is_there(path / "transformer") || is_there(path / "unet");
  if (is_diffusers) {
    open_diffusers_folder(model);
  } else {
    open_official_folder(model);
  }
}

}  // namespace

std::vector<PartFile> open_part(const fs::path& path) {
  std::error_code ignored;
  const fs::path folder = fs::is_directory(path, ignored) ? path
                          : path.has_parent_path()        ? path.parent_path()
                                                          : fs::path(".");
  const std::shared_ptr<const weights::TensorFile> file = weights::open_tensors(path);
  const auto places = models::networks_in(file->tensors());
  if (places.empty()) return {PartFile{file, {}, nullptr, 0}};
  std::vector<PartFile> parts;
  for (const auto& [type, index] : places) {
    // A config.json beside a whole model's file describes none of its networks alone.
    parts.push_back({file, places.size() == 1 ? config_beside(folder, *type) : fs::path(), type, index});
  }
  return parts;
}

ModelParts find_parts(const RenderSettings& settings, Need need) {
  ModelParts model;
  model.layout = "files";
  const auto given = [&](Part part, const std::string& path) {
    if (!path.empty()) add_part(model, path, part);
  };
  given(Part::denoiser, settings.transformer);
  given(Part::text_encoder, settings.text_encoder);
  given(Part::text_encoder_2, settings.text_encoder_2);
  given(Part::t5_encoder, settings.text_encoder_3);
  given(Part::vae, settings.vae);
  given(Part::tiny_vae, settings.tiny_vae);
  given(Part::image_encoder, settings.image_encoder);
  if (need == Need::render) {
    for (const auto& path : settings.control_nets) {
      ModelParts single;
      add_part(single, path, Part::control_net);
      model.control_nets.push_back(single.parts.at(Part::control_net));
    }
  }

  const bool has_text =
      std::any_of(model.parts.begin(), model.parts.end(), [](const auto& entry) { return is_text(entry.first); });
  const bool suffices = need == Need::vae    ? model.has(Part::vae)
                        : need == Need::text ? has_text && !settings.tokenizer.empty()
                                             : model.has(Part::denoiser);
  const bool is_named = settings.origins.count("model") > 0 && !settings.model.empty();
  model.used_model = is_named || !suffices;
  if (model.used_model) open_model_path(model, model_path(settings.model));
  if (!settings.tokenizer.empty()) {
    const bool is_clip = text::open_tokenizer(settings.tokenizer)->kind() == "clip bpe";
    for (const Part part : {Part::text_encoder, Part::text_encoder_2, Part::t5_encoder}) {
      if ((part == Part::t5_encoder) != is_clip) model.tokenizers[part] = settings.tokenizer;
    }
  }
  add_shipped_tokenizers(model);
  for (const auto& path : settings.embeddings) add_embeddings(model, path);
  if (need != Need::vae) add_loras(model, settings);
  return model;
}

}  // namespace keyflow::pipeline
