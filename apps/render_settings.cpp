#include <ATen/Parallel.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>

#include "apps/console.h"
#include "apps/numbers.h"
#include "apps/render_options.h"
#include "core/compute.h"
#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "media/output.h"
#include "pipeline/metadata.h"
#include "text/clean.h"

namespace keyflow::apps {
namespace {

using pipeline::Origin;
using pipeline::RenderSettings;

/// An option whose text is a setting as it stands.
struct Mapping {
  const char* option;
  const char* field;
};
constexpr Mapping kTexts[] = {{"negative-prompt", "negative"},
                              {"sampler", "sampler"},
                              {"conventions", "conventions"},
                              {"model", "model"},
                              {"diffusion-model", "transformer"},
                              {"text-encoder", "text_encoder"},
                              {"clip-g", "text_encoder_2"},
                              {"t5xxl", "text_encoder_3"},
                              {"taesd", "tiny_vae"},
                              {"decoder", "decoder"},
                              {"lora-folder", "lora_folder"},
                              {"lora-mode", "lora_mode"},
                              {"hires-upscaler", "hires_upscaler"},
                              {"schedule", "schedule"},
                              {"empty-negative", "empty_negative"},
                              {"skip-layers", "skip_layers"},
                              {"vae", "vae"},
                              {"clip-vision", "image_encoder"},
                              {"tokenizer", "tokenizer"},
                              {"dtype", "dtype"},
                              {"crf", "crf"},
                              {"upscale", "upscale"},
                              {"upscale-tile", "upscale_tile"}};

/// An option whose number has no value that means "the model's": 0 is refused here.
struct NumberMapping {
  const char* option;
  const char* field;
  bool whole;
  double least, most;
};
constexpr NumberMapping kNumbers[] = {
    {"width", "width", true, 1, 65535},
    {"height", "height", true, 1, 65535},
    {"frames", "frames", true, 1, 1e9},
    {"fps", "fps", false, 0.01, 1000},
    {"steps", "steps", true, 1, 10000},
    {"shift", "shift", false, 0.01, 1000},
    {"cfg-scale", "guidance_scale", false, 0.01, 1000},
    {"guidance", "guidance", false, 0, 1000},
    {"guidance-rescale", "guidance_rescale", false, 0, 1},
    {"eta", "eta", false, 0, 1},
    {"clip-skip", "clip_skip", true, 1, 100},
    {"strength", "strength", false, 0, 1},
    {"batch", "batch", true, 1, 10000},
    {"hires-steps", "hires_steps", true, 1, 10000},
    {"hires-strength", "hires_strength", false, 0.001, 1},
    {"skip-layer-scale", "skip_layer_scale", false, 0, 1000},
    {"skip-layer-start", "skip_layer_start", false, 0, 1},
    {"skip-layer-stop", "skip_layer_stop", false, 0, 1},
    {"upscale-repeats", "upscale_repeats", true, 1, 4},
};

class Reader {
 public:
  Reader(const Arguments& arguments, RenderSettings& settings) : arguments_(arguments), settings_(settings) {}

  void read() {
    for (const auto& [option, field] : kTexts) {
      if (arguments_.has(option)) set(field, arguments_.text(option), option);
    }
    for (const auto& mapping : kNumbers) read_number(mapping);
    if (arguments_.has("color-match")) set("color_match", "true", "color-match");
    if (arguments_.has("plain-prompt")) set("prompt_syntax", "plain", "plain-prompt");
    if (arguments_.has("init-img")) set("init_image", arguments_.text("init-img"), "init-img");
    for (const auto& [option, field] :
         {std::pair{"control-net", "control_nets"}, {"control-image", "control_images"}, {"embedding", "embeddings"}}) {
      for (const auto& text : arguments_.list(option)) set(field, text, option);
    }
    for (const auto& [option, field] : {std::pair{"control-strength", "control_strengths"},
                                        {"control-start", "control_starts"},
                                        {"control-stop", "control_stops"}}) {
      if (arguments_.has(option)) set(field, arguments_.text(option), option);
    }
    if (arguments_.has("mask")) set("mask", arguments_.text("mask"), "mask");
    read_prompt();
    read_keyframes();
    read_size();
    read_hires();
    read_seed();
    read_tile();
  }

 private:
  void set(const char* field, const std::string& text, const std::string& option) {
    pipeline::assign(settings_, field, text, Origin::command_line, "--" + option);
  }

  void read_number(const NumberMapping& mapping) {
    if (!arguments_.has(mapping.option)) return;
    const std::string text = arguments_.text(mapping.option), shown = std::string("--") + mapping.option;
    if (mapping.whole) {
      whole_number(shown, text, static_cast<int64_t>(mapping.least), static_cast<int64_t>(mapping.most));
    } else {
      real_number(shown, text, mapping.least, mapping.most);
    }
    set(mapping.field, text, mapping.option);
  }

  void read_prompt() {
    const bool from_file = arguments_.has("prompt-file");
    require(!from_file || !arguments_.has("prompt"), ErrorKind::usage, "--prompt-file: --prompt is given too");
    if (from_file) set("prompt", read_file(arguments_.text("prompt-file"), text::kMostPromptBytes), "prompt-file");
    if (!arguments_.has("prompt")) return;
    const std::string text = arguments_.text("prompt");
    set("prompt", text == "-" ? read_standard_input(text::kMostPromptBytes) : text, "prompt");
  }

  void read_keyframes() {
    if (arguments_.has("first")) set("keyframes", "0=" + arguments_.text("first"), "first");
    for (const auto& text : arguments_.list("keyframe")) set("keyframes", text, "keyframe");
    if (arguments_.has("last")) set("keyframes", "-1=" + arguments_.text("last"), "last");
  }

  void read_size() {
    if (!arguments_.has("size")) return;
    require(!arguments_.has("width") && !arguments_.has("height"), ErrorKind::usage,
            "--size: --width or --height is given too");
    const auto [width, height] = size_of_frame("--size", arguments_.text("size"));
    set("width", std::to_string(width), "size");
    set("height", std::to_string(height), "size");
  }

  void read_hires() {
    if (!arguments_.has("hires-from")) return;
    const auto [width, height] = size_of_frame("--hires-from", arguments_.text("hires-from"));
    set("hires_width", std::to_string(width), "hires-from");
    set("hires_height", std::to_string(height), "hires-from");
  }

  void read_seed() {
    if (!arguments_.has("seed")) return;
    std::string text = arguments_.text("seed");
    if (text == "random" || text == "-1") {
      std::random_device device;
      text = std::to_string((uint64_t{device()} << 32) | device());
    }
    unsigned_number("--seed", text);
    set("seed", text, "seed");
  }

  void read_tile() {
    if (!arguments_.has("tile")) return;
    const std::string text = arguments_.text("tile");
    if (text != "auto" && text != "off") whole_number("--tile", text, 1, 65535);
    set("tiling", text, "tile");
  }

  const Arguments& arguments_;
  RenderSettings& settings_;
};

}  // namespace

RenderSettings settings_from(const Arguments& arguments,
                             const std::vector<std::pair<std::string, std::string>>& implied) {
  RenderSettings settings;
  if (arguments.has("from-metadata")) settings = pipeline::settings_from_metadata(arguments.text("from-metadata"));
  if (arguments.has("config")) {
    const std::string file = arguments.text("config");
    pipeline::apply_json(settings, read_json(file), Origin::file, printable(file, 400));
  }
  for (const auto& [field, value] : implied) pipeline::assign(settings, field, value, Origin::command_line, field);
  Reader(arguments, settings).read();
  if (settings.dtype != "auto") compute_from_text(settings.dtype);
  return settings;
}

pipeline::OutputOptions output_from(const Arguments& arguments, int64_t frames) {
  pipeline::OutputOptions output;
  require(arguments.has("output"), ErrorKind::usage, "--output: expected a file name, such as -o out.mp4");
  output.path = arguments.text("output");
  require(!output.path.empty(), ErrorKind::usage, "--output: expected a file name, found \"\"");
  if (arguments.has("checkpoint")) {
    output.checkpoint_every = whole_number("--checkpoint", arguments.text("checkpoint"), 1, 10000);
  }
  if (arguments.has("preview")) output.preview_every = whole_number("--preview", arguments.text("preview"), 1, 10000);
  // What is wrong with the line itself comes before what is wrong with the folder.
  if (output.path.extension() == ".safetensors")
    require_writable(output.path);
  else
    media::require_output(output.path, frames > 0 ? frames : 2);
  output.keep_latents = arguments.has("keep-latents");
  output.resume = arguments.has("resume");
  return output;
}

void set_threads(const Arguments& arguments) {
  if (arguments.has("threads")) {
    at::set_num_threads(static_cast<int>(whole_number("--threads", arguments.text("threads"), 1, 1024)));
  }
}

}  // namespace keyflow::apps
