#include "apps/commands.h"
#include "apps/numbers.h"
#include "apps/render_options.h"
#include "apps/render_run.h"
#include "core/error.h"
#include "pipeline/upscale.h"

namespace keyflow::apps {
namespace {

pipeline::UpscaleSettings settings_of(const Arguments& arguments) {
  pipeline::UpscaleSettings settings;
  require(!arguments.text("model").empty(), ErrorKind::usage,
          "--model: expected the file of an upscaler, such as -m RealESRGAN_x4plus.pth");
  settings.model = arguments.text("model");
  if (arguments.has("scale")) settings.scale = real_number("--scale", arguments.text("scale"), 0.1, 64);
  settings.repeats = whole_number("--repeats", arguments.text("repeats", "1"), 1, 4);
  settings.tile = arguments.text("tile", "auto");
  if (settings.tile != "auto" && settings.tile != "off") whole_number("--tile", settings.tile, 32, 65536);
  settings.dtype = arguments.text("dtype", "auto");
  if (settings.dtype != "auto") compute_from_text(settings.dtype);
  if (arguments.has("crf")) settings.crf = whole_number("--crf", arguments.text("crf"), 0, 63);
  return settings;
}

int run(const Arguments& arguments) {
  const pipeline::UpscaleSettings settings = settings_of(arguments);
  set_threads(arguments);
  Arguments named = arguments;
  named.add("output", arguments.operands()[1]);
  // A video may become several files, which only its frames can tell.
  if (named.text("output") != "-") output_from(named, 1);
  const pipeline::UpscalePlan plan = pipeline::plan_upscale(settings, arguments.operands()[0]);
  std::string about = c10::str(plan.width, "x", plan.height, " to ", plan.large_width, "x", plan.large_height);
  if (plan.frames > 1) about += c10::str(", ", plan.frames, " frames at ", plan.fps, " fps");
  about += ", " + plan.model.variant;
  return run_work(named, plan.frames, plan.picture.defined() ? ".png" : ".mp4", about,
                  [&](const pipeline::OutputOptions& output, Progress& progress) {
                    return pipeline::upscale(plan, output, progress);
                  });
}

}  // namespace

Command upscale_command() {
  Command command;
  command.name = "upscale";
  command.summary = "Enlarge a picture or a video with Real-ESRGAN";
  command.operands = "IN OUT";
  command.least_operands = command.most_operands = 2;
  command.groups = {
      {"Upscaling",
       {{"-m,--upscale-model,--model", "MODEL", "Upscaler: .pth, .safetensors, or ncnn .param with its .bin"},
        {"--scale", "X", "Size of the result; Lanczos makes up for what the network does not give [the network's]"},
        {"--upscale-repeats,--repeats", "N", "Passes of the network, 1 to 4 [1]"},
        {"--upscale-tile-size,--tile", "N", "Tile in pixels; off, or auto by free memory [auto]"},
        {"--crf", "N", "Quality of a video file, 0 best [its encoder's]"},
        {"--dtype", "TYPE", "fp32, bf16, fp16 or auto, which probes the machine [auto]"},
        {"-t,--threads", "N", "Processor threads [all cores]"}}},
      {"Talk",
       {{"--progress", "MODE", "auto, bar, plain or json lines [auto]", {"auto", "bar", "plain", "json"}},
        {"-v,--verbose", "", "Say more"}}}};
  command.example = "keyflow upscale a.mp4 b.mp4 -m realesr-animevideov3-x4.param --scale 2";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
