#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/numbers.h"
#include "core/error.h"
#include "schedulers/flow_schedule.h"
#include "schedulers/scheduler_config.h"

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

bool names_a_kind(const std::string& schedule) {
  const auto kinds = schedulers::flow_kind_names();
  return std::find(kinds.begin(), kinds.end(), schedule) != kinds.end();
}

/// The model whose schedule is shown: the file's, or Wan's, which has a list for each sampler.
schedulers::ModelSchedule model_of(const Arguments& arguments) {
  schedulers::ModelSchedule model;
  if (arguments.has("scheduler-config")) {
    model = schedulers::read_scheduler_config(arguments.text("scheduler-config"));
  } else {
    model.prediction = schedulers::Prediction::flow;
    model.sampler = "unipc";
    model.shift = 5.0;
    model.flow_kind.reset();
  }
  model.even_sigmas = arguments.has("even-sigmas");
  if (arguments.has("spacing")) model.spacing = schedulers::spacing(arguments.text("spacing"));
  const auto schedule = arguments.text("schedule");
  if (names_a_kind(schedule)) {
    require(model.is_flow(), ErrorKind::usage, "--schedule: ", schedule, " is a list for flow models, and ",
            arguments.text("scheduler-config"), " is of another kind");
    model.flow_kind = schedulers::flow_kind(schedule);
  }
  return model;
}

schedulers::ScheduleRequest request_of(const Arguments& arguments) {
  schedulers::ScheduleRequest request;
  request.sampler = arguments.text("sampler", "auto");
  const auto schedule = arguments.text("schedule", "auto");
  if (!names_a_kind(schedule)) request.schedule = schedule;
  request.steps = whole_number("--steps", arguments.text("steps", "50"), 1, 10000);
  if (arguments.has("shift")) request.shift = real_number("--shift", arguments.text("shift"), 1e-3, 1000);
  request.tokens = whole_number("--tokens", arguments.text("tokens", "4096"), 1, 1 << 30);
  request.strength = real_number("--strength", arguments.text("strength", "1"), 0, 1);
  if (arguments.has("eta")) request.eta = real_number("--eta", arguments.text("eta"), 0, 1);
  if (arguments.has("sigmas")) request.sigmas = list_of_numbers("--sigmas", arguments.text("sigmas"));
  if (arguments.has("timesteps")) request.timesteps = list_of_numbers("--timesteps", arguments.text("timesteps"));
  return request;
}

std::string name_of_list(const Arguments& arguments, const schedulers::ModelSchedule& model,
                         const schedulers::SamplerEntry& sampler) {
  if (arguments.has("sigmas") || arguments.has("timesteps")) return "explicit";
  const auto asked = arguments.text("schedule", "auto");
  if (asked != "auto") return asked;
  if (model.is_flow()) return std::string(schedulers::name_of(model.flow_kind.value_or(sampler.flow_kind)));
  return arguments.text("scheduler-config");
}

std::string line_of(const std::string& step, double time, double sigma, bool has_time) {
  char line[96], text[32] = "";
  if (has_time) std::snprintf(text, sizeof text, "%.10g", time);
  std::snprintf(line, sizeof line, "%5s %12s %12.7f\n", step.c_str(), text, sigma);
  return line;
}

/// Steps that ask the model twice show the point in between on a line of its own.
std::string table_of(const schedulers::Schedule& schedule, const std::string& title) {
  std::string text = " step     timestep        sigma        (" + title + ")\n";
  for (int64_t i = 0; i <= schedule.steps(); ++i) {
    const bool last = i == schedule.steps();
    text += line_of(std::to_string(i), last ? 0.0 : schedule.timestep(i), schedule.sigma(i), !last);
    if (last || schedule.inner_sigmas.empty()) continue;
    const int64_t inner = schedule.inner(i);
    if (schedule.sigma(inner) > 0) text += line_of("", schedule.timestep(inner), schedule.sigma(inner), true);
  }
  return text;
}

int run(const Arguments& arguments) {
  const auto model = model_of(arguments);
  const auto request = request_of(arguments);
  const auto& sampler = schedulers::sampler_of(model, request);
  const auto schedule = schedulers::make_schedule(model, request);
  const auto list = name_of_list(arguments, model, sampler);
  if (!arguments.has("json")) {
    print(table_of(schedule, "schedule " + list + ", sampler " + std::string(sampler.name)));
    return 0;
  }
  nlohmann::ordered_json json{{"schedule", list},
                              {"sampler", sampler.name},
                              {"start_spread", schedule.start_spread},
                              {"timesteps", schedule.timesteps},
                              {"sigmas", schedule.sigmas}};
  if (!schedule.landings.empty()) json["landings"] = schedule.landings;
  if (!schedule.inner_sigmas.empty()) {
    json["inner_timesteps"] = schedule.inner_timesteps;
    json["inner_sigmas"] = schedule.inner_sigmas;
  }
  print(json.dump() + "\n");
  return 0;
}

}  // namespace

Command sigmas_command() {
  auto schedules = schedulers::schedule_names();
  for (auto& kind : schedulers::flow_kind_names()) schedules.push_back(std::move(kind));
  auto samplers = schedulers::sampler_names();
  samplers.insert(samplers.begin(), "auto");
  Command command;
  command.name = "sigmas";
  command.summary = "Print a schedule: the sigmas and timesteps of every step";
  command.groups = {{"Options",
                     {{"--scheduler-config", "FILE", "A model's scheduler_config.json [Wan's schedule]"},
                      {.names = "--sampler",
                       .value = "NAME",
                       .help = "Sampler whose usual schedule is shown [the model's]",
                       .choices = samplers,
                       .open = true},
                      {.names = "--scheduler,--schedule",
                       .value = "NAME",
                       .help = "Schedule, whatever the sampler [auto]",
                       .choices = schedules,
                       .open = true},
                      {"--spacing", "NAME", "Law between first and last sigma", schedulers::spacing_names()},
                      {"--steps", "N", "Sampling steps [50]"},
                      {"--shift", "X", "Timestep shift of a flow model [the model's; Wan 5]"},
                      {"--tokens", "N", "Tokens of the picture, for a shift that follows them [4096]"},
                      {"--even-sigmas", "", "Before the shift the list is 1 ... 1/N, as for FLUX"},
                      {"--strength", "X", "Share of the steps that a picture to picture run does [1]"},
                      {"--eta", "X", "Share of fresh noise [the sampler's]"},
                      {"--sigmas", "A,B,C", "These sigmas instead"},
                      {"--timesteps", "A,B,C", "These timesteps instead"},
                      {"--json", "", "Print JSON"}}}};
  command.example = "keyflow sigmas --sampler dpm++2m --schedule karras --steps 20 --json";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
