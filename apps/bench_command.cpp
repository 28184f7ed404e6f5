#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/numbers.h"
#include "core/error.h"
#include "train/clip_quality.h"

namespace keyflow::apps {
namespace {

int mini_quality(const Arguments& arguments) {
  train::QualityOptions options;
  options.model = arguments.text("model", "mini");
  options.data = arguments.text("data");
  require(!options.data.empty(), ErrorKind::usage,
          "bench mini-quality: --data: expected the file that `keyflow train prepare` made, found nothing");
  options.clips = whole_number("--clips", arguments.text("clips", "50"), 1, 1'000'000);
  options.steps = whole_number("--steps", arguments.text("steps", "0"), 0, 10'000);
  options.seed = unsigned_number("--seed", arguments.text("seed", "42"));
  const auto quality = train::clip_quality(options, [](int64_t done, int64_t total) {
    if (done % 10 == 0 || done == total) note(c10::str(done, " of ", total, " clips\n"));
  });
  const std::vector<std::pair<const char*, double>> figures{{"vae_psnr_db", quality.vae_psnr},
                                                            {"vae_flicker", quality.vae_flicker},
                                                            {"first_frame_psnr_db", quality.first_psnr},
                                                            {"last_frame_psnr_db", quality.last_psnr},
                                                            {"middle_frames_psnr_db", quality.middle_psnr},
                                                            {"cross_fade_psnr_db", quality.cross_fade_psnr},
                                                            {"middle_gradient_energy", quality.gradient_energy},
                                                            {"motion_energy", quality.motion_energy},
                                                            {"pinned_frame_psnr_db", quality.pinned_psnr},
                                                            {"seconds_per_clip", quality.seconds_per_clip}};
  if (arguments.has("json")) {
    nlohmann::ordered_json json{{"clips", quality.clips}};
    for (const auto& [name, value] : figures) json[name] = value;
    print(json.dump() + "\n");
    return 0;
  }
  std::string text = c10::str(quality.clips, " unseen clips\n");
  for (const auto& [name, value] : figures) {
    char line[80];
    std::snprintf(line, sizeof line, "%-24s %9.3f\n", name, value);
    text += line;
  }
  print(text);
  return 0;
}

int run(const Arguments& arguments) {
  const std::string& what = arguments.operands().front();
  if (what == "mini-quality") return mini_quality(arguments);
  fail(ErrorKind::usage, "bench: expected mini-quality, found ", printable(what));
}

}  // namespace

Command bench_command() {
  Command command;
  command.name = "bench";
  command.summary = "Measure what a model makes of clips it has not seen";
  command.operands = "mini-quality";
  command.least_operands = command.most_operands = 1;
  command.groups = {{"Options",
                     {{"--data", "FILE", "What `keyflow train prepare` made"},
                      {"-m,--model", "MODEL", "mini or a folder [mini]"},
                      {"--clips", "N", "Unseen clips, at most [50]"},
                      {"--steps", "N", "Sampling steps [the model's own]"},
                      {"--seed", "N", "Seed of the noise [42]"},
                      {"--json", "", "Print JSON"}}}};
  command.example = "keyflow bench mini-quality --data run/data.safetensors";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
