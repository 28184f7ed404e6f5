#include <random>

#include "apps/numbers.h"
#include "apps/sd_cli.h"
#include "core/error.h"
#include "core/files.h"
#include "text/clean.h"

namespace keyflow::apps {
namespace {

using pipeline::Origin;

/// An option whose text is a setting as it stands.
struct Mapping {
  const char* option;
  const char* field;
};
constexpr Mapping kFiles[] = {{"model", "model"},
                              {"diffusion-model", "transformer"},
                              {"clip_l", "text_encoder"},
                              {"clip_g", "text_encoder_2"},
                              {"t5xxl", "text_encoder_3"},
                              {"vae", "vae"},
                              {"taesd", "tiny_vae"},
                              {"clip_vision", "image_encoder"},
                              {"mask", "mask"},
                              {"control-net", "control_nets"},
                              {"control-image", "control_images"}};

/// An option whose number is a setting, with what sd-cli takes when it is not given ("" leaves it to the model).
struct NumberMapping {
  const char* option;
  const char* field;
  bool whole;
  double least, most;
  const char* fallback;
};
constexpr NumberMapping kNumbers[] = {
    {"steps", "steps", true, 1, 10000, "20"},
    {"cfg-scale", "guidance_scale", false, 0, 1000, "7"},
    {"batch-count", "batch", true, 1, 10000, "1"},
    {"fps", "fps", true, 1, 1000, "16"},
    {"eta", "eta", false, 0, 1, ""},
    {"slg-scale", "skip_layer_scale", false, 0, 1000, ""},
    {"skip-layer-start", "skip_layer_start", false, 0, 1, ""},
    {"skip-layer-end", "skip_layer_stop", false, 0, 1, ""},
};

class JobReader {
 public:
  explicit JobReader(const ForeignLine& line) : line_(line) {}

  SdCliJob read() {
    job_.makes_video = line_.text("mode", "img_gen") == "vid_gen";
    require(line_.has("model") || line_.has("diffusion-model"), ErrorKind::usage,
            "keyflow sd-cli: expected --model or --diffusion-model, found neither");
    for (const auto& [option, field] : kFiles) {
      if (line_.has(option)) set(field, line_.text(option), option);
    }
    for (const auto& mapping : kNumbers) read_number(mapping);
    read_prompts();
    read_pictures();
    read_frames();
    read_noise();
    read_types();
    read_rest();
    read_output();
    for (const auto& name : line_.without_effect()) job_.asides.push_back(name + " has no effect in keyflow");
    return std::move(job_);
  }

 private:
  void set(const std::string& field, const std::string& text, const std::string& option) {
    pipeline::assign(job_.settings, field, text, Origin::command_line, "--" + option);
  }

  void read_number(const NumberMapping& mapping) {
    const std::string text = line_.text(mapping.option, mapping.fallback), shown = std::string("--") + mapping.option;
    if (text.empty() && !line_.has(mapping.option)) return;
    if (mapping.whole) {
      whole_number(shown, text, static_cast<int64_t>(mapping.least), static_cast<int64_t>(mapping.most));
    } else {
      real_number(shown, text, mapping.least, mapping.most);
    }
    set(mapping.field, text, mapping.option);
  }

  std::string text_or_file(const std::string& option) const {
    const std::string file = option + "-file";
    return line_.last_of({option, file}) == file ? read_file(line_.text(file), text::kMostPromptBytes)
                                                 : line_.text(option);
  }

  void read_prompts() {
    set("prompt", text_or_file("prompt"), "prompt");
    set("lora_folder", line_.text("lora-model-dir", "."), "lora-model-dir");
    if (line_.has("embd-dir")) set("embeddings", line_.text("embd-dir"), "embd-dir");
    set("negative", text_or_file("negative-prompt"), "negative-prompt");
  }

  void read_pictures() {
    if (job_.makes_video) {
      if (line_.has("init-img")) set("keyframes", "0=" + line_.text("init-img"), "init-img");
      if (line_.has("end-img")) set("keyframes", "-1=" + line_.text("end-img"), "end-img");
      set("fit", "cover", "init-img");
    } else {
      if (line_.has("init-img")) set("init_image", line_.text("init-img"), "init-img");
      require(!line_.has("end-img"), ErrorKind::usage, "--end-img: expected -M vid_gen beside it, found -M img_gen");
    }
    if (line_.has("control-net")) {
      const std::string text = line_.text("control-strength", "0.9");
      real_number("--control-strength", text, 0, 10);
      set("control_strengths", text, "control-strength");
    }
  }

  void read_frames() {
    int64_t frames = whole_number("--video-frames", line_.text("video-frames", "1"), 1, 1'000'000'000);
    const int64_t asked = job_.makes_video ? frames : 1;
    frames = (asked - 1) / 4 * 4 + 1;
    if (frames != asked) {
      job_.notes.push_back(c10::str("--video-frames ", asked, ": rounded down to ", frames, ", which is 4n+1"));
    }
    set("frames", std::to_string(frames), "video-frames");
  }

  void read_noise() {
    const std::string text = line_.text("seed", "42");
    const int64_t seed = whole_number("--seed", text, INT64_MIN, INT64_MAX);
    std::random_device device;
    const uint64_t drawn = uint64_t{device()} << 32 | device();
    set("seed", seed < 0 ? std::to_string(drawn) : text, "seed");
    const std::string rng = line_.text("rng", "cuda"), sampler_rng = line_.text("sampler-rng", rng);
    require(rng != "std_default", ErrorKind::usage,
            "--rng std_default: its noise hangs on the C++ library it was built with; hint: --rng cpu or cuda");
    require(sampler_rng == rng, ErrorKind::usage, "--sampler-rng ", sampler_rng, ": expected the same as --rng, ", rng);
    set("rng", rng, "rng");
  }

  void read_types() {
    if (!line_.has("type")) return;
    const std::string type = line_.text("type");
    const bool is_float = type == "f32" || type == "f16" || type == "bf16";
    require(is_float, ErrorKind::usage, "--type ", printable(type),
            ": expected f32, f16 or bf16, because keyflow packs no weights while it loads; hint: keyflow convert");
    set("dtype", type == "bf16" ? type : "fp" + type.substr(1), "type");
  }

  void read_rest() {
    require(!line_.has("tensor-type-rules"), ErrorKind::usage,
            "--tensor-type-rules: keyflow packs no weights while it loads; hint: keyflow convert");
    if (line_.has("upscale-model")) {
      set("upscale", line_.text("upscale-model"), "upscale-model");
      set("upscale_repeats", line_.text("upscale-repeats", "1"), "upscale-repeats");
      set("upscale_tile", line_.text("upscale-tile-size", "128"), "upscale-tile-size");
    }
    const std::string scale = line_.text("cfg-scale", "7");
    require(real_number("--img-cfg-scale", line_.text("img-cfg-scale", scale), 0, 1000) ==
                real_number("--cfg-scale", scale, 0, 1000),
            ErrorKind::usage, "--img-cfg-scale: keyflow has one scale; hint: leave it out");
    const int64_t clip_skip = whole_number("--clip-skip", line_.text("clip-skip", "-1"), INT32_MIN, 100);
    if (clip_skip > 0) set("clip_skip", std::to_string(clip_skip), "clip-skip");
    if (line_.has("skip-layers")) {
      const std::string layers = line_.text("skip-layers");
      require(layers.starts_with("[") && layers.ends_with("]"), ErrorKind::usage,
              "--skip-layers: expected a list in brackets, such as [7,8,9], found \"", printable(layers), "\"");
      set("skip_layers", layers, "skip-layers");
    }
    if (line_.has("taesd-preview-only") && line_.has("taesd")) set("decoder", "full", "taesd-preview-only");
  }

  void read_output() {
    const bool video = job_.makes_video && job_.settings.frames > 1;
    const bool given = line_.has("output");
    job_.output = line_.text("output", video ? "output.mp4" : "output.png");
    require(!job_.output.empty(), ErrorKind::usage, "--output: expected a file name, found \"\"");
    if (video && !given) job_.notes.push_back("writes output.mp4, where sd-cli writes output.avi");
    const std::string ending = std::filesystem::path(job_.output).extension().string();
    require(ending != ".avi", ErrorKind::usage, "--output ", printable(job_.output, 400),
            ": keyflow writes no AVI files; hint: .mp4");
    require(whole_number("--output-begin-idx", line_.text("output-begin-idx", "0"), -1, 1'000'000) <= 0,
            ErrorKind::usage, "--output-begin-idx: keyflow counts files from 0, found ",
            line_.text("output-begin-idx"));
    const int64_t every = whole_number("--preview-interval", line_.text("preview-interval", "1"), 1, 10000);
    const std::string kind = line_.text("preview", "none");
    if (kind == "none") return;
    job_.preview_every = every;
    job_.preview_path = line_.text("preview-path", "./preview.png");
    require(std::filesystem::path(job_.preview_path).extension() == ".png", ErrorKind::usage, "--preview-path ",
            printable(job_.preview_path, 400), ": expected a name that ends in .png");
    if (kind != "proj") job_.asides.push_back("--preview " + kind + ": keyflow chooses how previews are made");
  }

  const ForeignLine& line_;
  SdCliJob job_;
};

}  // namespace

std::vector<std::string> sd_cli_pictures(const ForeignLine& line) {
  std::vector<std::string> pictures;
  for (const char* option : {"init-img", "end-img"}) {
    if (line.has(option)) pictures.push_back(line.text(option));
  }
  return pictures;
}

SdCliJob read_sd_cli_job(const ForeignLine& line) { return JobReader(line).read(); }

}  // namespace keyflow::apps
