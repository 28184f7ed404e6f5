#include "pipeline/variant.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"

namespace keyflow::pipeline {
namespace {

using nlohmann::json;

constexpr int64_t kSmallWidth = 1536, kLargeWidth = 5120;  // of the 1.3B and the 14B networks
constexpr int64_t kArea480 = 832 * 480, kArea720 = 1280 * 720;

// Wan2.1 wan/configs/shared_config.py, wan_i2v_14B.py and first_last_frame2video.py@9737cba.
const std::string kNegative =
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，"
    "丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画"
    "面，"
    "杂乱的背景，三条腿，背景人很多，倒着走";
constexpr const char *kCameraShake = "镜头晃动，", *kCut = "镜头切换，";

bool is_fun(const wan::TransformerConfig& config, const Variant& variant) {
  return variant.takes_keyframes && config.dim == kSmallWidth;
}

/// The official program's defaults as settings; the size is the landscape one of its area.
/// source Wan2.1 generate.py@9737cba; VideoX-Fun examples/wan2.1_fun (Fun-InP); diffusers 0.42.1 pipelines/wan
json defaults(const Variant& variant, const wan::TransformerConfig& config, const std::string& conventions) {
  json preset = {{"frames", 81}, {"fps", 16.0},           {"steps", 50},          {"sampler", "unipc"},
                 {"shift", 5.0}, {"guidance_scale", 5.0}, {"negative", kNegative}};
  if (conventions == "diffusers") {
    preset["negative"] = "";
    preset["shift"] = 3.0;
  } else if (is_fun(config, variant)) {
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
void read_pictures(json& preset, Variant& variant, const std::string& where) {
  const auto found = preset.find("pictures");
  if (found == preset.end()) return;
  require(*found == "optional" || *found == "required", ErrorKind::config, where,
          ": \"pictures\": expected \"optional\" or \"required\", found ", printable(found->dump()));
  variant.keyframes_optional = *found == "optional";
  preset.erase(found);
}

double flow_shift(const std::filesystem::path& path) {
  const json config = read_json(path);
  const auto found = config.is_object() ? config.find("flow_shift") : config.end();
  if (!config.is_object() || found == config.end()) return 0;
  require(found->is_number() && found->get<double>() > 0, ErrorKind::config, printable(path.string(), 400),
          ": flow_shift: expected a number above 0, found ", printable(found->dump()));
  return found->get<double>();
}

}  // namespace

Variant variant_of(const wan::TransformerConfig& config, int64_t tokens_per_picture) {
  Variant variant;
  const int64_t masked = 2 * config.out_dim + 4;
  require(config.in_dim == config.out_dim || config.in_dim == masked, ErrorKind::unsupported, "transformer of ",
          config.in_dim, " input channels: expected ", config.out_dim, " (noise) or ", masked,
          " (noise, mask and condition latents)");
  variant.takes_keyframes = config.in_dim == masked;
  if (config.image_dim > 0) {
    variant.picture_slots = 1;
    if (config.image_pos_len > 0 && tokens_per_picture > 0) {
      require(config.image_pos_len % tokens_per_picture == 0, ErrorKind::config, "picture encoder of ",
              tokens_per_picture, " tokens a picture: the transformer wants ", config.image_pos_len, " in all");
      variant.picture_slots = config.image_pos_len / tokens_per_picture;
    } else if (config.image_pos_len > 0) {
      variant.picture_slots = 2;
    }
  }
  const std::string kind = !variant.takes_keyframes ? "T2V" : variant.picture_slots == 2 ? "FLF2V" : "I2V";
  if (is_fun(config, variant)) {
    variant.name = "Wan2.1-Fun-1.3B-InP";
    variant.keyframes_optional = true;
  } else if (config.dim == kSmallWidth || config.dim == kLargeWidth) {
    variant.name = "Wan2.1-" + kind + (config.dim == kSmallWidth ? "-1.3B" : "-14B");
  } else {
    variant.name = "Wan " + kind + " of width " + std::to_string(config.dim);
  }
  return variant;
}

Habits apply_presets(RenderSettings& settings, Variant& variant, const wan::TransformerConfig& config,
                     const std::filesystem::path& preset, const std::filesystem::path& scheduler_config) {
  json values = defaults(variant, config, settings.conventions);
  if (settings.conventions == "diffusers" && !scheduler_config.empty()) {
    if (const double shift = flow_shift(scheduler_config); shift > 0) values["shift"] = shift;
  }
  Habits habits{0, 81};
  int64_t& area = habits.area;
  area = config.dim == kSmallWidth || settings.conventions == "diffusers" ? kArea480 : kArea720;
  if (!preset.empty()) {
    json own = read_json(preset);
    const std::string where = printable(preset.string(), 400);
    require(own.is_object(), ErrorKind::config, where, ": expected an object, found ", own.type_name());
    read_pictures(own, variant, where);
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
  if (settings.conventions == "official" && small_i2v && !variant.keyframes_optional) values["shift"] = 3.0;
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
