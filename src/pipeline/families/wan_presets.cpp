#include "pipeline/families/wan_presets.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"

namespace keyflow::pipeline {
namespace {

using nlohmann::json;

constexpr int64_t kArea480 = 832 * 480, kArea720 = 1280 * 720;

// Wan2.1 wan/configs/shared_config.py, wan_i2v_14B.py and first_last_frame2video.py@9737cba.
const std::string kNegative =
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，"
    "丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画"
    "面，"
    "杂乱的背景，三条腿，背景人很多，倒着走";
constexpr const char *kCameraShake = "镜头晃动，", *kCut = "镜头切换，";

/// The official program's defaults as settings; the size is the landscape one of its area.
/// source Wan2.1 generate.py@9737cba; VideoX-Fun examples/wan2.1_fun (Fun-InP); diffusers 0.42.1 pipelines/wan
json defaults(const wan::Variant& variant, const std::string& conventions) {
  json preset = {{"frames", 81}, {"fps", 16.0},           {"steps", 50},          {"sampler", "unipc"},
                 {"shift", 5.0}, {"guidance_scale", 5.0}, {"negative", kNegative}};
  if (conventions == "diffusers") {
    preset["negative"] = "";
    preset["shift"] = 3.0;
  } else if (variant.fun) {
    preset["sampler"] = "euler";
    preset["guidance_scale"] = 6.0;
  } else if (variant.picture_slots == 2) {
    preset["shift"] = 16.0;
    preset["negative"] = kCut + (kCameraShake + kNegative);
  } else if (variant.takes_keyframes) {
    preset["steps"] = 40;
    preset["negative"] = kCameraShake + kNegative;
  }
  return preset;
}

/// The part of a preset.json that is no setting.
void read_pictures(json& preset, ModelFacts& facts, const std::string& where) {
  const auto found = preset.find("pictures");
  if (found == preset.end()) return;
  require(*found == "optional" || *found == "required", ErrorKind::config, where,
          ": \"pictures\": expected \"optional\" or \"required\", found ", printable(found->dump()));
  facts.keyframes_optional = *found == "optional";
  preset.erase(found);
}

double flow_shift(const std::filesystem::path& path) {
  const json config = read_python_json(path);
  const auto found = config.is_object() ? config.find("flow_shift") : config.end();
  if (!config.is_object() || found == config.end()) return 0;
  require(found->is_number() && found->get<double>() > 0, ErrorKind::config, printable(path.string(), 400),
          ": flow_shift: expected a number above 0, found ", printable(found->dump()));
  return found->get<double>();
}

}  // namespace

Habits apply_wan_presets(RenderSettings& settings, ModelFacts& facts, const wan::Variant& variant,
                         const wan::TransformerConfig& config, const ModelParts& parts) {
  const std::filesystem::path &preset = parts.preset, &scheduler_config = parts.scheduler_config;
  json values = defaults(variant, settings.conventions);
  if (settings.conventions == "diffusers" && !scheduler_config.empty()) {
    if (const double shift = flow_shift(scheduler_config); shift > 0) values["shift"] = shift;
  }
  Habits habits{0, 81};
  int64_t& area = habits.area;
  area = config.dim == wan::kSmallWidth || settings.conventions == "diffusers" ? kArea480 : kArea720;
  if (!preset.empty()) {
    json own = read_json(preset);
    const std::string where = printable(preset.string(), 400);
    require(own.is_object(), ErrorKind::config, where, ": expected an object, found ", own.type_name());
    read_pictures(own, facts, where);
    RenderSettings checked;
    apply_json(checked, own, Origin::model, where);
    if (checked.width > 0 && checked.height > 0) area = checked.width * checked.height;
    require(checked.frames <= 0 || (checked.frames % 4 == 1 && checked.frames > 4), ErrorKind::config, where,
            ": \"frames\": expected 4n + 1 from 5, found ", checked.frames);
    if (checked.frames > 0) habits.frames = checked.frames;
    values.update(own);
  }
  // The official program lowers the shift of I2V for its smaller size.
  const bool small_i2v = settings.width * settings.height == kArea480 && variant.picture_slots == 1;
  if (settings.conventions == "official" && small_i2v && !facts.keyframes_optional) values["shift"] = 3.0;
  const bool sized = settings.width > 0 || settings.height > 0;
  const bool pictured = !settings.keyframes.empty();
  if (sized || pictured) {
    values.erase("width");
    values.erase("height");
  } else if (!values.contains("width")) {
    values["width"] = area == kArea480 ? 832 : 1280;
    values["height"] = area == kArea480 ? 480 : 720;
  }
  apply_json(settings, values, Origin::model, "preset of " + variant.name);
  return habits;
}

}  // namespace keyflow::pipeline
