#include "pipeline/metadata.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "core/sha256.h"
#include "media/settings.h"
#include "pipeline/latents_file.h"
#include "pipeline/model.h"
#include "pipeline/upscaler.h"
#include "weights/hash.h"

namespace keyflow::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// How a path is written down: as the user gave it when that says nothing about the machine, else its last part.
std::string recorded(const std::string& path) {
  const fs::path given(path);
  if (given.is_relative()) return given.generic_string();
  return (given.has_filename() ? given : given.parent_path()).filename().generic_string();
}

json recorded_settings(const RenderSettings& settings) {
  RenderSettings named = settings;
  for (std::string* path : {&named.model, &named.transformer, &named.text_encoder, &named.text_encoder_2,
                            &named.text_encoder_3, &named.tokenizer, &named.vae, &named.tiny_vae, &named.image_encoder,
                            &named.init_image, &named.mask, &named.upscale}) {
    *path = recorded(*path);
  }
  for (auto* list : {&named.control_nets, &named.control_images, &named.embeddings}) {
    for (auto& path : *list) path = recorded(path);
  }
  for (auto& lora : named.loras) lora.path = recorded(lora.path.string());
  named.lora_folder = recorded(named.lora_folder);
  for (auto& keyframe : named.keyframes) {
    keyframe.picture = keyframe.name.empty() ? recorded(keyframe.picture.string()) : keyframe.name;
  }
  return to_json(named);
}

std::string picture_hash(const at::Tensor& rgb) {
  const at::Tensor pixels = rgb.contiguous();
  Sha256 hash;
  for (const auto size : pixels.sizes()) hash.update_number(static_cast<uint64_t>(size));
  hash.update(pixels.data_ptr<uint8_t>(), static_cast<size_t>(pixels.numel()));
  return hash.hex();
}

std::string tokenizer_hash(const fs::path& path) {
  if (!fs::is_directory(path)) return weights::file_sha256(path);
  for (const char* name : {"tokenizer.json", "spiece.model", "merges.txt"}) {
    if (fs::exists(path / name)) return weights::file_sha256(path / name);
  }
  return "";
}

bool is_safetensors(const fs::path& path) { return path.extension() == ".safetensors"; }

std::string settings_text(const fs::path& file) {
  if (!is_safetensors(file)) return media::read_settings(file);
  const std::string text = load_latents(file).settings;
  require(!text.empty(), ErrorKind::config, printable(file.string(), 400),
          ": expected the settings of a render, found none");
  return text;
}

/// The file of that name from here, else beside the file that named it, else the name as it is.
fs::path look_for(const std::string& name, const fs::path& beside) {
  std::error_code ignored;
  if (fs::exists(name, ignored)) return name;
  const fs::path sibling = beside.parent_path() / name;
  return fs::exists(sibling, ignored) ? sibling : fs::path(name);
}

}  // namespace

std::map<std::string, std::string> content_hashes(const RenderPlan& plan) {
  std::map<std::string, std::string> hashes;
  for (const auto& [part, network] : plan.model->networks()) {
    hashes[std::string(field_of(part))] = weights::model_hash(*network.file());
  }
  if (plan.upscaler) hashes["upscale"] = plan.upscaler->hash;
  for (const auto& [part, path] : plan.model->parts().tokenizers) {
    hashes["tokenizer of " + std::string(field_of(part))] = tokenizer_hash(path);
  }
  for (const auto& keyframe : plan.settings.keyframes) {
    hashes["keyframe " + std::to_string(keyframe.frame)] = picture_hash(plan.pictures.at(keyframe.picture));
  }
  for (const auto& lora : plan.model->parts().loras.report()) {
    hashes["loras " + lora.path.filename().string()] = weights::file_sha256(lora.path);
  }
  for (const auto& embedding : plan.model->parts().embeddings) {
    hashes["embeddings " + embedding.words().front()] = weights::file_sha256(embedding.path);
  }
  for (size_t i = 0; i < plan.settings.control_images.size(); ++i) {
    const std::string number = std::to_string(i);
    hashes["control_nets " + number] = weights::model_hash(*plan.model->control_nets()[i].file());
    hashes["control_images " + number] = picture_hash(plan.pictures.at(plan.settings.control_images[i]));
  }
  for (const auto& [name, path] : {std::pair{"init_image", plan.settings.init_image}, {"mask", plan.settings.mask}}) {
    if (!path.empty()) hashes[name] = picture_hash(plan.pictures.at(path));
  }
  return hashes;
}

namespace {

/// Whether something newer than the metadata decides what lies behind a hash.
bool is_replaced(const RenderSettings& settings, const std::string& hashed) {
  const auto overridden = [&](const std::string& field) {
    const auto origin = settings.origins.find(field);
    return origin != settings.origins.end() && origin->second > Origin::metadata;
  };
  if (hashed.starts_with("keyframe ")) return overridden("keyframes");
  if (hashed.starts_with("control_") || hashed.starts_with("embeddings "))
    return overridden(hashed.substr(0, hashed.find(' ')));
  if (overridden("model") || overridden(hashed)) return true;
  const bool is_tokenizer = hashed.starts_with("tokenizer");
  if (is_tokenizer && overridden("tokenizer")) return true;
  // Which text encoder an option's file is shows only in its tensors.
  return (is_tokenizer || hashed.starts_with("text_encoder")) &&
         (overridden("text_encoder") || overridden("text_encoder_2") || overridden("text_encoder_3"));
}

}  // namespace

std::string metadata_text(const RenderPlan& plan) {
  return json{{"program", "keyflow " KEYFLOW_VERSION},
              {"revision", KEYFLOW_REVISION},
              {"settings", recorded_settings(plan.settings)},
              {"hashes", content_hashes(plan)}}
      .dump();
}

std::string metadata_with_upscale(const std::string& stored, const json& step) {
  json text;
  try {
    text = parse_json(stored, "settings");
  } catch (const Error&) {
    // Another program's words, or none.
  }
  const auto program = text.is_object() ? text.find("program") : text.end();
  const bool ours =
      program != text.end() && program->is_string() && program->get<std::string>().starts_with("keyflow ");
  if (!ours) text = json{{"program", "keyflow " KEYFLOW_VERSION}, {"revision", KEYFLOW_REVISION}};
  // The list of an earlier upscale goes on.
  if (!text["upscale"].is_array()) text["upscale"] = json::array();
  text["upscale"].push_back(step);
  return text.dump();
}

RenderSettings settings_from_metadata(const fs::path& file) {
  const std::string where = printable(file.string(), 400) + ": settings";
  const json stored = parse_json(settings_text(file), where);
  require(stored.is_object() && stored.contains("settings"), ErrorKind::config, where,
          ": expected an object with \"settings\"");
  RenderSettings settings;
  for (const auto& [key, value] : stored.items()) {
    if (key == "settings") {
      apply_json(settings, value, Origin::metadata, where);
    } else if (key == "hashes" && value.is_object()) {
      for (const auto& [part, hash] : value.items()) {
        require(hash.is_string(), ErrorKind::config, where, ": hash of \"", printable(part), "\": expected a text");
        settings.expected_hashes[part] = hash.get<std::string>();
      }
    } else {
      require(key == "program" || key == "revision" || key == "upscale", ErrorKind::config, where, ": unknown key \"",
              printable(key), "\"");
    }
  }
  for (auto& keyframe : settings.keyframes) {
    keyframe.name = keyframe.picture.generic_string();
    keyframe.picture = look_for(keyframe.name, file);
  }
  for (auto& lora : settings.loras) lora.path = look_for(lora.path.generic_string(), file);
  for (auto& picture : settings.control_images) picture = look_for(picture, file).string();
  for (std::string* picture : {&settings.init_image, &settings.mask}) {
    if (!picture->empty()) *picture = look_for(*picture, file).string();
  }
  return settings;
}

void require_expected_hashes(const RenderPlan& plan) {
  const RenderSettings& settings = plan.settings;
  if (settings.expected_hashes.empty()) return;
  std::vector<std::string> differences;
  for (const auto& [part, hash] : content_hashes(plan)) {
    const auto expected = settings.expected_hashes.find(part);
    if (expected == settings.expected_hashes.end() || expected->second == hash) continue;
    if (is_replaced(settings, part)) continue;
    differences.push_back(c10::str(part, ": expected ", printable(expected->second.substr(0, 12)), "..., found ",
                                   hash.substr(0, 12), "..."));
  }
  if (differences.empty()) return;
  throw Error(ErrorKind::config,
              "metadata: the files are not those the output was made with; hint: name the right ones, or the new ones, "
              "by their options",
              differences);
}

}  // namespace keyflow::pipeline
