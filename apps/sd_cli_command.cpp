#include <ATen/Context.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/foreign_run.h"
#include "apps/help.h"
#include "apps/numbers.h"
#include "apps/render_run.h"
#include "apps/sd_cli.h"
#include "core/error.h"
#include "core/json.h"
#include "media/picture.h"
#include "media/settings.h"
#include "pipeline/model.h"
#include "text/clean.h"

namespace keyflow::apps {
namespace {

/// Headers of the model's files and of the first picture; plan_render looks at them again with complete settings.
SdCliModel look_at_model(const SdCliJob& job, const ForeignLine& line) {
  const auto model = pipeline::open_model(job.settings, pipeline::Need::render);
  const auto& facts = model->facts();
  SdCliModel result{std::string(model->parts().parts.at(models::Part::denoiser).type->family), facts.variant,
                    facts.multiple, facts.stride, std::nullopt};
  for (const auto& path : sd_cli_pictures(line)) {
    if (result.picture) break;
    const auto rgb = media::read_picture(path).rgb;  // [3, H, W]
    result.picture = pipeline::FrameSize{rgb.size(2), rgb.size(1)};
  }
  return result;
}

int render(const ForeignLine& line) {
  SdCliJob job = read_sd_cli_job(line);
  ForeignOutput output{job.output, job.makes_video, job.preview_every, job.preview_path, "", line.has("verbose")};
  if (whole_number("--threads", line.text("threads", "-1"), INT32_MIN, 1024) > 0) output.threads = line.text("threads");
  const Arguments arguments = checked_arguments(output, job.settings.batch > 1 ? 1 : job.settings.frames);
  complete_sd_cli_job(job, line, look_at_model(job, line));
  say(job.notes);
  if (output.verbose) say(job.asides);
  return run_render(arguments, job.settings, job.makes_video);
}

std::string own_type(const std::string& type) { return type == "f32" || type == "f16" ? "fp" + type.substr(1) : type; }

int convert(const ForeignLine& line) {
  const std::string option = line.last_of({"model", "diffusion-model"});
  require(!option.empty(), ErrorKind::usage, "keyflow sd-cli -M convert: expected --model, found none");
  for (const char* part : {"vae", "clip_l", "clip_g", "t5xxl"}) {
    require(!line.has(part), ErrorKind::usage, "keyflow sd-cli -M convert: --", part,
            ": keyflow converts one file at a time");
  }
  std::vector<std::string> words{"convert", line.text(option), line.text("output", "output.gguf")};
  if (line.has("type")) words.insert(words.end(), {"--type", own_type(line.text("type"))});
  std::string rest = line.text("tensor-type-rules");
  while (!rest.empty()) {
    const std::string rule = rest.substr(0, rest.find(','));
    rest.erase(0, rule.size() + 1);
    const size_t equals = std::min(rule.rfind('='), rule.size());
    const std::string type = equals < rule.size() ? "=" + own_type(rule.substr(equals + 1)) : "";
    words.insert(words.end(), {"--rule", rule.substr(0, equals) + type});
  }
  return run_own_command("sd-cli -M convert", words);
}

int upscale(const ForeignLine& line) {
  for (const char* option : {"upscale-model", "init-img"}) {
    require(line.has(option), ErrorKind::usage, "keyflow sd-cli -M upscale: expected --", option, ", found none");
  }
  std::vector<std::string> words{"upscale", line.text("init-img"), line.text("output", "output.png"), "--model",
                                 line.text("upscale-model")};
  if (line.has("upscale-repeats")) words.insert(words.end(), {"--repeats", line.text("upscale-repeats")});
  if (line.has("upscale-tile-size")) words.insert(words.end(), {"--tile", line.text("upscale-tile-size")});
  return run_own_command("sd-cli -M upscale", words);
}

int show_metadata(const ForeignLine& line) {
  require(line.has("image"), ErrorKind::usage, "keyflow sd-cli -M metadata: expected --image, found none");
  const std::string path = line.text("image");
  const nlohmann::json stored = parse_json(media::read_settings(path), printable(path, 400));
  if (line.text("metadata-format", "text") == "json") {
    print(stored.dump(2) + "\n");
    return 0;
  }
  std::string lines;
  const auto add = [&](const nlohmann::json& values) {
    for (const auto& [key, value] : values.items()) {
      if (value.is_object()) continue;
      lines += printable(key) + ": " +
               printable(value.is_string() ? value.get<std::string>() : value.dump(), text::kMostPromptBytes) + "\n";
    }
  };
  add(stored);
  if (stored.contains("settings")) add(stored["settings"]);
  print(lines);
  return 0;
}

int run(const std::vector<std::string>& words) {
  const ForeignLine line = read_foreign_line({"sd-cli"}, sd_cli_options(), words);
  const std::string mode = line.text("mode", "img_gen");
  if (line.has("help")) {
    print(command_help(sd_cli_command()));
    return 0;
  }
  if (line.has("version")) {
    print(version_text());
    return 0;
  }
  if (line.has("list-devices")) {
    print(at::hasCUDA() ? "cpu\tprocessor\ncuda\tgraphics card\n" : "cpu\tprocessor\n");
    return 0;
  }
  if (mode == "convert") return convert(line);
  if (mode == "upscale") return upscale(line);
  if (mode == "metadata") return show_metadata(line);
  require(mode != "adetailer", ErrorKind::usage,
          "--mode adetailer: keyflow repairs no faces; hint: -i PICTURE --mask PICTURE paints a part anew");
  return render(line);
}

}  // namespace

Command sd_cli_command() {
  Command command;
  command.name = "sd-cli";
  command.summary = "Take a command line of stable-diffusion.cpp, with its defaults";
  command.groups = shown_groups(sd_cli_options());
  command.example = "keyflow sd-cli -m sd-v1-4.ckpt -p \"a lovely cat\"";
  command.run_words = run;
  return command;
}

}  // namespace keyflow::apps
