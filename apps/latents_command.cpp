#include "apps/commands.h"
#include "apps/render_options.h"
#include "apps/render_run.h"
#include "core/error.h"
#include "core/files.h"
#include "pipeline/latents_file.h"

namespace keyflow::apps {
namespace {

/// Of the model options those that a VAE alone has use for.
OptionGroup vae_options() {
  return {"Model",
          {{"-m,--model", "MODEL", "mini, a folder or a file [mini]"},
           {"--vae", "FILE", "The VAE, if not the model's"},
           {"--dtype", "TYPE", "fp32, bf16, fp16 or auto, which probes the machine [auto]"},
           {"--tile", "N", "VAE tile in pixels; off, or auto by free memory [auto]"},
           {"-t,--threads", "N", "Processor threads [all cores]"}}};
}

OptionGroup talk_options() {
  return {"Talk",
          {{"--progress", "MODE", "auto, bar, plain or json lines [auto]", {"auto", "bar", "plain", "json"}},
           {"-v,--verbose", "", "Say more"}}};
}

int run_encode(const Arguments& arguments) {
  const pipeline::RenderSettings settings = settings_from(arguments);
  set_threads(arguments);
  const std::vector<std::filesystem::path> inputs(arguments.operands().begin(), arguments.operands().end());
  require(!arguments.has("output") || arguments.text("output").ends_with(".safetensors"), ErrorKind::usage,
          "--output: expected a name that ends in .safetensors, found \"", printable(arguments.text("output")), "\"");
  return run_work(arguments, 0, ".safetensors", "", [&](const pipeline::OutputOptions& output, Progress& progress) {
    return pipeline::encode_media(settings, inputs, output.path, progress);
  });
}

int run_decode(const Arguments& arguments) {
  const pipeline::RenderSettings settings = settings_from(arguments);
  set_threads(arguments);
  require(!arguments.text("output").ends_with(".safetensors"), ErrorKind::usage,
          "--output: expected a video or a picture, found \"", printable(arguments.text("output")), "\"");
  return run_work(arguments, 1, ".mp4", "", [&](const pipeline::OutputOptions& output, Progress& progress) {
    return pipeline::decode_latents(settings, arguments.operands()[0], output, progress);
  });
}

}  // namespace

Command encode_command() {
  Command command;
  command.name = "encode";
  command.summary = "Encode pictures or a video to latents (safetensors)";
  command.operands = "PICTURE...|VIDEO";
  command.least_operands = 1;
  command.most_operands = 100'000;
  OptionGroup output{"Output", {{"-o,--output", "FILE", "Name of the latents, .safetensors"}}};
  command.groups = {vae_options(), size_options(), output, talk_options()};
  command.example = "keyflow encode clip.mp4 -o clip.safetensors";
  command.run = run_encode;
  return command;
}

Command decode_command() {
  Command command;
  command.name = "decode";
  command.summary = "Decode latents to a video or pictures";
  command.operands = "LATENTS";
  command.least_operands = command.most_operands = 1;
  OptionGroup output{"Output",
                     {{"-o,--output", "FILE",
                       "mp4, mov, mkv, webm, gif, webp, apng, png, jpg or %04d.png; - is "
                       "standard output"},
                      {"--fps", "X", "Frames per second [as stored, else 16]"},
                      {"--crf", "N", "Quality of a video file, 0 best [its encoder's]"}}};
  command.groups = {vae_options(), output, talk_options()};
  command.example = "keyflow decode out.latents.safetensors -o out.webm";
  command.run = run_decode;
  return command;
}

}  // namespace keyflow::apps
