#include "apps/commands.h"
#include "apps/console.h"
#include "apps/foreign_run.h"
#include "apps/help.h"
#include "apps/render_run.h"
#include "apps/wan_generate.h"
#include "core/error.h"
#include "media/picture.h"
#include "pipeline/model.h"

namespace keyflow::apps {
namespace {

WanGenerateModel look_at_model(const WanGenerateJob& job, const ForeignLine& line) {
  const auto model = pipeline::open_model(job.settings, pipeline::Need::render);
  const auto& facts = model->facts();
  WanGenerateModel result{facts.variant, facts.stride, facts.multiple / facts.stride, std::nullopt};
  for (const auto& path : wan_generate_pictures(line)) {
    const auto rgb = media::read_picture(path).rgb;  // [3, H, W]
    result.picture = pipeline::FrameSize{rgb.size(2), rgb.size(1)};
  }
  return result;
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  return parts;
}

int run(const std::vector<std::string>& words) {
  const ForeignGrammar grammar{"wan-generate", true, true};
  const ForeignLine line = read_foreign_line(grammar, wan_generate_options(), words);
  if (line.has("help")) {
    print(command_help(wan_generate_command()));
    return 0;
  }
  WanGenerateJob job = read_wan_generate_job(line);
  complete_wan_generate_job(job, line, look_at_model(job, line));
  const ForeignOutput output{.path = wan_generate_output(job, line, local_time())};
  const Arguments arguments = checked_arguments(output, job.settings.frames);
  say(job.notes);
  return run_render(arguments, job.settings, job.settings.frames > 1);
}

}  // namespace

Command wan_generate_command() {
  Command command;
  command.name = "wan-generate";
  command.summary = "Take a command line of Wan's generate.py, with its defaults";
  command.groups = shown_groups(wan_generate_options());
  command.example = "keyflow wan-generate --task t2v-1.3B --ckpt_dir DIR --prompt \"two cats\"";
  command.run_words = run;
  return command;
}

}  // namespace keyflow::apps
