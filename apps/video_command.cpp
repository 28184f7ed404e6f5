#include "apps/commands.h"
#include "apps/render_options.h"
#include "apps/render_run.h"

namespace keyflow::apps {

Command video_command() {
  Command command;
  command.name = "video";
  command.summary = "Make a video from a prompt, with or without keyframes";
  command.groups = {prompt_options(), keyframe_options(), size_options(),   length_options(),  sampling_options(),
                    model_options(),  lora_options(),     output_options(), settings_options()};
  command.example = "keyflow video -p \"a rolling dice\" --first a.png --last b.png -o out.mp4";
  command.run = [](const Arguments& arguments) { return run_render(arguments, settings_from(arguments), true); };
  return command;
}

Command image_command() {
  Command command;
  command.name = "image";
  command.summary = "Make one picture from a prompt";
  command.groups = {image_prompt_options(), start_options(),   hires_options(),          control_options(),
                    lora_options(),         size_options(),    image_sampling_options(), model_options(),
                    output_options(),       settings_options()};
  command.example = "keyflow image -p \"a red apple\" -o apple.png";
  command.run = [](const Arguments& arguments) {
    return run_render(arguments, settings_from(arguments, {{"frames", "1"}}), false);
  };
  return command;
}

}  // namespace keyflow::apps
