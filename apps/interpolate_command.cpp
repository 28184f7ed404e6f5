#include "apps/commands.h"
#include "apps/render_options.h"
#include "apps/render_run.h"
#include "pipeline/segments.h"

namespace keyflow::apps {
namespace {

using pipeline::Origin;
using pipeline::RenderSettings;

void pin(RenderSettings& settings, int64_t frame, const std::string& picture) {
  pipeline::assign(settings, "keyframes", std::to_string(frame) + "=" + picture, Origin::command_line, picture);
}

/// The frame of each picture: evenly over --frames, or else one whole clip of the model's own length between two
/// neighbours, who share their border frame.
std::vector<int64_t> frames_of(RenderSettings settings, const std::vector<std::string>& pictures) {
  const auto count = static_cast<int64_t>(pictures.size());
  if (settings.frames > 0) return pipeline::spread_keyframes(count, settings.frames);
  if (count == 2) return {0, -1};
  pin(settings, 0, pictures.front());
  pin(settings, -1, pictures.back());
  const int64_t clip = pipeline::plan_render(settings).settings.frames - 1;
  std::vector<int64_t> frames;
  for (int64_t i = 0; i < count; ++i) frames.push_back(i * clip);
  return frames;
}

int run(const Arguments& arguments) {
  RenderSettings settings = settings_from(arguments);
  const auto& pictures = arguments.operands();
  const std::vector<int64_t> frames = frames_of(settings, pictures);
  for (size_t i = 0; i < pictures.size(); ++i) pin(settings, frames[i], pictures[i]);
  if (settings.frames == 0 && frames.back() > 0) {
    pipeline::assign(settings, "frames", std::to_string(frames.back() + 1), Origin::command_line, "--frames");
  }
  return run_render(arguments, settings, true);
}

}  // namespace

Command interpolate_command() {
  Command command;
  command.name = "interpolate";
  command.summary = "Make a video that runs through pictures in order";
  command.operands = "FIRST NEXT [MORE...]";
  command.least_operands = 2;
  command.most_operands = 1000;
  OptionGroup keyframes{"Keyframes", {{"--color-match", "", "Match the video's colours to the keyframes'"}}};
  command.groups = {prompt_options(),   keyframes,       size_options(),   length_options(),  lora_options(),
                    sampling_options(), model_options(), output_options(), settings_options()};
  command.example = "keyflow interpolate a.png b.png c.png -p \"a rolling dice\" -o out.mp4";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
