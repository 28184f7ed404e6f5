#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/numbers.h"
#include "bench/modules.h"
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

std::vector<bench::Module> chosen(const std::vector<std::string>& names) {
  if (names.empty()) return bench::modules();
  std::vector<std::string> known;
  std::string all;
  for (const auto& module : bench::modules()) {
    known.push_back(module.name);
    all += (all.empty() ? "" : ", ") + module.name;
  }
  std::vector<bench::Module> list;
  for (const auto& name : names) {
    const auto found = std::find(known.begin(), known.end(), name);
    const std::string guess = nearest(name, known);
    require(found != known.end(), ErrorKind::usage, "bench: unknown module ", printable(name), "; expected ", all,
            guess.empty() ? "" : "; hint: did you mean " + guess + "?");
    list.push_back(bench::modules()[static_cast<size_t>(found - known.begin())]);
  }
  return list;
}

int time_modules(const Arguments& arguments) {
  const int64_t rounds = whole_number("--rounds", arguments.text("rounds", "3"), 1, 1000);
  const std::string dtype = arguments.text("dtype", "auto");
  const Compute compute = dtype == "auto" ? machine_compute() : compute_from_text(dtype);
  const auto modules = chosen(arguments.operands());
  require(!arguments.has("weights") || modules.size() == 1, ErrorKind::usage,
          "bench: --weights: expected one module beside it, found ", modules.size());
  if (!arguments.has("json")) {
    print(c10::str(at::get_num_threads(), " threads, ", to_text(compute), "\n"));
    print("module              GFLOP   seconds  GFLOP/s  of fp32 rate  outside  peak MiB  size\n");
  }
  for (const auto& module : modules) {
    const bench::Timing timing = bench::time_module(module, compute, arguments.text("weights"), rounds);
    if (arguments.has("json")) {
      print(nlohmann::ordered_json{{"module", timing.name},
                                   {"size", timing.size},
                                   {"dtype", to_text(compute)},
                                   {"threads", at::get_num_threads()},
                                   {"flop", timing.flop},
                                   {"seconds", timing.seconds},
                                   {"gflops", timing.gflops()},
                                   {"machine_gflops", timing.machine_flops / 1e9},
                                   {"outside", timing.outside},
                                   {"peak_bytes", timing.peak_bytes}}
                .dump() +
            "\n");
      continue;
    }
    char line[200];
    std::snprintf(line, sizeof line, "%-18s %6.0f %9.3f %8.1f %11.0f %% %6.1f %% %9.0f  ", timing.name.c_str(),
                  timing.flop / 1e9, timing.seconds, timing.gflops(),
                  100 * timing.gflops() * 1e9 / timing.machine_flops, 100 * timing.outside,
                  static_cast<double>(timing.peak_bytes) / (1 << 20));
    print(line + timing.size + "\n");
  }
  return 0;
}

int run(const Arguments& arguments) {
  if (arguments.has("threads")) {
    at::set_num_threads(static_cast<int>(whole_number("--threads", arguments.text("threads"), 1, 1024)));
  }
  if (arguments.operands() == std::vector<std::string>{"mini-quality"}) return mini_quality(arguments);
  return time_modules(arguments);
}

}  // namespace

Command bench_command() {
  Command command;
  command.name = "bench";
  command.summary = "Time the networks, or measure a model on clips it has not seen";
  command.operands = "[MODULE...|mini-quality]";
  command.most_operands = 100;
  command.groups = {{"Modules (wan-dit-1.3b, wan-vae-decode, umt5-xxl-4-layers, linear-q8_0 ...)",
                     {{"--rounds", "N", "Timed passes, of which the fastest counts [3]"},
                      {"--dtype", "TYPE", "fp32, bf16, fp16 or auto, which probes the machine [auto]"},
                      {"--threads", "N", "Threads [all cores]"},
                      {"--weights", "FOLDER", "Network as diffusers saves it [random weights]"}}},
                    {"mini-quality",
                     {{"--data", "FILE", "What `keyflow train prepare` made"},
                      {"-m,--model", "MODEL", "mini or a folder [mini]"},
                      {"--clips", "N", "Unseen clips, at most [50]"},
                      {"--steps", "N", "Sampling steps [the model's own]"},
                      {"--seed", "N", "Seed of the noise [42]"}}},
                    {"Both", {{"--json", "", "Print JSON"}}}};
  command.example = "keyflow bench wan-vae-decode --dtype bf16 --json";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
