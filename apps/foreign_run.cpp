#include "apps/foreign_run.h"

#include <algorithm>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/render_options.h"
#include "core/error.h"

namespace keyflow::apps {

void say(const std::vector<std::string>& notes) {
  for (const auto& text : notes) note("note: " + printable(text, 1000) + "\n");
}

Arguments checked_arguments(const ForeignOutput& output, int64_t frames) {
  Arguments arguments;
  arguments.add("output", output.path);
  if (output.verbose) arguments.add("verbose", "");
  if (!output.threads.empty()) arguments.add("threads", output.threads);
  if (output.preview_every > 0) {
    arguments.add("preview", std::to_string(output.preview_every));
    arguments.add("preview-path", output.preview_path);
  }
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::path(output.path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  output_from(arguments, frames);
  return arguments;
}

int run_own_command(const std::string& asked, const std::vector<std::string>& words) {
  const auto commands = all_commands();
  const bool known = std::any_of(commands.begin(), commands.end(), [&](const auto& it) { return it.name == words[0]; });
  require(known, ErrorKind::unsupported, "keyflow ", asked, ": this build has no command ", words[0]);
  return run_command_line(commands, words);
}

}  // namespace keyflow::apps
