#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/numbers.h"
#include "schedulers/flow_schedule.h"
#include "schedulers/sampler.h"

namespace keyflow::apps {
namespace {

/// "0.1,0.5" with or without brackets, as other programs write lists.
std::vector<double> list_of_numbers(const std::string& option, std::string text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  std::vector<double> numbers;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    numbers.push_back(real_number(option, text.substr(begin, comma - begin), 0, 1e6));
    begin = comma + 1;
  }
  return numbers;
}

schedulers::Schedule chosen(const Arguments& arguments, std::string& kind_name) {
  schedulers::FlowScheduleOptions options;
  options.steps = whole_number("--steps", arguments.text("steps", "50"), 1, 10000);
  options.shift = real_number("--shift", arguments.text("shift", "5"), 1e-3, 1000);
  options.spacing = schedulers::spacing(arguments.text("spacing", "as_shifted"));
  if (arguments.has("sigmas")) {
    kind_name = "explicit";
    return schedulers::explicit_schedule(list_of_numbers("--sigmas", arguments.text("sigmas")));
  }
  auto kind = schedulers::find_sampler(arguments.text("sampler", "unipc")).flow_kind;
  if (arguments.has("schedule")) kind = schedulers::flow_kind(arguments.text("schedule"));
  kind_name = schedulers::name_of(kind);
  return schedulers::flow_schedule(kind, options);
}

int run(const Arguments& arguments) {
  std::string kind;
  const auto schedule = chosen(arguments, kind);
  if (arguments.has("json")) {
    print(nlohmann::ordered_json{{"schedule", kind}, {"timesteps", schedule.timesteps}, {"sigmas", schedule.sigmas}}
              .dump() +
          "\n");
    return 0;
  }
  std::string text = "step   timestep        sigma        (schedule " + kind + ")\n";
  for (int64_t i = 0; i <= schedule.steps(); ++i) {
    const bool last = i == schedule.steps();
    char line[80], time[32] = "";
    if (!last) std::snprintf(time, sizeof time, "%.10g", schedule.timesteps[static_cast<size_t>(i)]);
    std::snprintf(line, sizeof line, "%4ld %10s %12.7f\n", static_cast<long>(i), time,
                  schedule.sigmas[static_cast<size_t>(i)]);
    text += line;
  }
  print(text);
  return 0;
}

}  // namespace

Command sigmas_command() {
  Command command;
  command.name = "sigmas";
  command.summary = "Print a schedule: the sigmas and timesteps of every step";
  command.groups = {
      {"Options",
       {{"--sampler", "NAME", "Sampler whose usual schedule is shown [unipc]", schedulers::sampler_names()},
        {"--schedule", "NAME", "Schedule, whatever the sampler", schedulers::flow_kind_names()},
        {"--spacing", "NAME", "Law between first and last sigma", schedulers::spacing_names()},
        {"--steps", "N", "Sampling steps [50]"},
        {"--shift", "X", "Timestep shift [5]"},
        {"--sigmas", "A,B,C", "These sigmas instead"},
        {"--json", "", "Print JSON"}}}};
  command.example = "keyflow sigmas --sampler unipc --steps 20 --shift 5 --json";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
