#include "schedulers/model_schedule.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace keyflow::schedulers {
namespace {

constexpr double kTrainSteps = 1000.0;

double to_float(double value) { return static_cast<float>(value); }

/// What the name of a schedule may choose; at most one of the fields is set.
struct Choice {
  std::optional<Spacing> spacing;
  std::optional<TimeSpacing> times;
  std::optional<NamedList> list;
};

constexpr struct {
  std::string_view name;
  TimeSpacing times;
} kTimes[] = {
    {"leading", TimeSpacing::leading}, {"trailing", TimeSpacing::trailing}, {"linspace", TimeSpacing::linspace}};

constexpr std::string_view kLaws[] = {"karras", "exponential", "beta"};

std::string usual_spelling(std::string_view name) {
  std::string text;
  for (const char c : name) {
    text += static_cast<char>(c == ' ' || c == '-' ? '_' : c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  if (text == "normal") return "discrete";
  if (text == "align_your_steps") return "ays";
  return text == "automatic" || text == "flux" ? "auto" : text;
}

Choice choice_of(const ModelSchedule& model, std::string_view asked) {
  const std::string name = usual_spelling(asked);
  Choice choice;
  for (const auto& known : kTimes) {
    if (known.name == name) choice.times = known.times;
  }
  if (std::find(std::begin(kLaws), std::end(kLaws), name) != std::end(kLaws)) choice.spacing = spacing(name);
  NamedList list{};
  if (find_named_list(name, list)) choice.list = list;
  if (name == "ays") choice.list = model.ays;
  if (choice.times || choice.spacing || choice.list || name == "auto") return choice;
  require(name != "gits", ErrorKind::usage,
          "schedule gits: its tables of searched levels are not part of keyflow; hint: ays has searched levels too");
  const auto near = nearest(name, schedule_names());
  std::string all;
  for (const auto& known : schedule_names()) all += (all.empty() ? "" : ", ") + known;
  fail(ErrorKind::usage, "schedule: expected one of ", all, "; found ", printable(asked),
       near.empty() ? "" : "; hint: " + near);
}

NamedSampler named_sampler(const ModelSchedule& model, const ScheduleRequest& request) {
  return find_named_sampler(request.sampler == "auto" ? model.sampler : request.sampler);
}

void check(const ScheduleRequest& request) {
  require(request.sigmas.empty() || request.timesteps.empty(), ErrorKind::usage,
          "schedule: expected sigmas or timesteps, found both");
  require(request.strength >= 0 && request.strength <= 1, ErrorKind::usage, "strength: expected 0 to 1, found ",
          request.strength);
  require(!request.shift || (std::isfinite(*request.shift) && *request.shift > 0), ErrorKind::usage,
          "shift: expected a number above 0, found ", request.shift.value_or(0));
  for (const double time : request.timesteps) {
    require(time >= 0 && time <= kTrainSteps, ErrorKind::usage, "timesteps: expected 0 to 1000, found ", time);
  }
}

/// A list of sigmas with the times of a function.
template <class TimeOf>
Schedule listed(NoisePath path, const std::vector<double>& sigmas, double end, TimeOf time_of) {
  Schedule schedule;
  schedule.path = path;
  for (const double sigma : sigmas) {
    if (sigma == 0 && schedule.sigmas.size() + 1 == sigmas.size()) break;
    schedule.sigmas.push_back(to_float(sigma));
    schedule.timesteps.push_back(to_float(time_of(sigma)));
  }
  schedule.sigmas.push_back(std::min(end, schedule.sigmas.empty() ? end : schedule.sigmas.back()));
  return schedule;
}

double flow_time(double sigma) { return kTrainSteps * sigma; }

Schedule flow_list(const ModelSchedule& model, const SamplerEntry& sampler, const ScheduleRequest& request,
                   const Choice& choice) {
  require(!choice.times, ErrorKind::usage, "schedule ", request.schedule,
          ": a spacing of training steps, which flow models do not have; hint: simple, sgm_uniform");
  require(!choice.list || *choice.list < NamedList::ays_sd1, ErrorKind::usage, "schedule ", request.schedule,
          ": optimised for Stable Diffusion, not for flow models; hint: simple, beta");
  if (!request.sigmas.empty()) return explicit_schedule(request.sigmas);
  if (!request.timesteps.empty()) {
    std::vector<double> sigmas;
    for (const double time : request.timesteps) sigmas.push_back(time / kTrainSteps);
    return explicit_schedule(sigmas);
  }
  FlowScheduleOptions options;
  options.steps = request.steps;
  options.shift = request.shift.value_or(model.shift);
  options.dynamic = request.shift ? DynamicShift::off : model.dynamic;
  if (options.dynamic != DynamicShift::off) {
    options.mu = dynamic_mu(request.tokens, model.base_shift, model.max_shift, model.base_tokens, model.max_tokens);
  }
  options.shift_terminal = model.shift_terminal;
  options.spacing = choice.spacing.value_or(model.spacing);
  if (choice.list) {
    require(request.steps >= 1 && request.steps <= kTrainSteps, ErrorKind::usage, "steps: expected 1 to 1000, found ",
            request.steps);
    const auto level = [&](double position) { return shifted_sigma((position + 1) / kTrainSteps, options); };
    std::vector<double> sigmas;
    for (const double position : listed_positions(*choice.list, request.steps)) sigmas.push_back(level(position));
    if (sigmas.empty()) sigmas = listed_sigmas(*choice.list, request.steps, level(kTrainSteps - 1), level(0));
    return listed(NoisePath::flow, sigmas, 0.0, flow_time);
  }
  if (model.even_sigmas) {
    for (int64_t i = 0; i < request.steps; ++i) {
      options.sigmas.push_back(1.0 - static_cast<double>(i) / static_cast<double>(request.steps));
    }
  }
  return flow_schedule(model.flow_kind.value_or(sampler.flow_kind), options);
}

VpKind list_kind(const SamplerEntry& sampler, const Choice& choice, const ModelSchedule& model) {
  const bool spaced = choice.spacing.value_or(model.spacing) != Spacing::as_shifted;
  const bool has_spacing = sampler.vp_kind == VpKind::euler || sampler.vp_kind == VpKind::multistep;
  // Where diffusers knows no such list for the sampler, the multistep solvers' one is as good.
  if (spaced && !has_spacing) return VpKind::multistep;
  return choice.times && sampler.vp_kind == VpKind::lcm ? VpKind::multistep : sampler.vp_kind;
}

Schedule vp_list(const ModelSchedule& model, const SamplerEntry& sampler, const ScheduleRequest& request,
                 const Choice& choice, const std::vector<double>& table) {
  require(!request.shift, ErrorKind::usage, "shift: only flow models have one");
  VpScheduleOptions options;
  const VpKind kind = list_kind(sampler, choice, model);
  const bool is_pndm = sampler.run == sample_pndm;
  options.steps = request.steps;
  options.betas = model.betas;
  options.times =
      choice.times.value_or(model.times.value_or(kind == VpKind::ddim ? TimeSpacing::leading : TimeSpacing::linspace));
  options.steps_offset = model.steps_offset;
  options.spacing = choice.spacing.value_or(model.spacing);
  options.end_at_zero = kind == VpKind::ddim ? model.set_alpha_to_one.value_or(!is_pndm) : model.end_at_zero;
  options.distillation_steps = model.distillation_steps;

  const NoisePath path = kind == VpKind::euler ? NoisePath::ve : NoisePath::vp;
  const auto time_of = [&](double sigma) { return time_at_sigma(table, sigma); };
  const double end = model.end_at_zero ? 0.0 : table.front();
  Schedule schedule;
  if (!request.sigmas.empty()) {
    schedule = listed(path, request.sigmas, 0.0, time_of);
  } else if (!request.timesteps.empty()) {
    for (const double time : request.timesteps) {
      require(time <= kTrainSteps - 1, ErrorKind::usage, "timesteps: expected 0 to 999, found ", time);
      schedule.sigmas.push_back(to_float(sigma_at_time(table, time)));
    }
    schedule.timesteps = request.timesteps;
    schedule.path = path;
    schedule.sigmas.push_back(end);
  } else if (choice.list) {
    require(request.steps >= 1 && request.steps <= kTrainSteps, ErrorKind::usage, "steps: expected 1 to 1000, found ",
            request.steps);
    const auto positions = listed_positions(*choice.list, request.steps);
    std::vector<double> sigmas;
    for (const double position : positions) sigmas.push_back(log_sigma_at_time(table, position));
    if (positions.empty()) sigmas = listed_sigmas(*choice.list, request.steps, table.back(), table.front());
    schedule = listed(path, sigmas, end, time_of);
    if (!positions.empty()) schedule.timesteps = positions;
  } else {
    schedule = vp_schedule(kind, options);
    // diffusers rounds the times of a Karras list for DPM2 alone among Euler's kin.
    if (sampler.inner == InnerPoints::half_log_sigma && options.spacing == Spacing::karras) {
      for (auto& time : schedule.timesteps) time = std::nearbyint(time);
    }
    if (model.log_linear && kind == VpKind::euler && options.spacing == Spacing::as_shifted) {
      // The source's list is one longer than its times: the run ends at the cleanest level.
      const auto count = static_cast<double>(request.steps);
      for (int64_t i = 0; i <= request.steps; ++i) {
        const double share = static_cast<double>(i) / count;
        schedule.sigmas[i] = to_float(std::exp((1 - share) * std::log(table.back()) + share * std::log(table.front())));
      }
    }
  }
  if (path == NoisePath::ve) {
    const double most = schedule.sigmas.front();
    schedule.start_spread = options.times == TimeSpacing::leading ? std::hypot(most, 1.0) : most;
  }
  return schedule;
}

/// TCD goes on to the level of (1 - eta) times the next time, and ends at the cleanest level.
void land_beyond(Schedule& schedule, double eta, const std::vector<double>& table) {
  schedule.landings.clear();
  for (int64_t i = 0; i < schedule.steps(); ++i) {
    const double next = i + 1 < schedule.steps() ? schedule.timesteps[i + 1] : 0.0;
    const float time = std::floor(static_cast<float>(1.0 - eta) * static_cast<float>(next));
    schedule.landings.push_back(table[static_cast<size_t>(time)]);
  }
  schedule.sigmas.back() = std::min(table.front(), schedule.sigmas[schedule.steps() - 1]);
}

/// PNDM does its first step twice, the second time from where the first one led.
void add_second_look(Schedule& schedule) {
  for (int64_t i = 0; i < schedule.steps(); ++i) {
    const bool last = i + 1 == schedule.steps();
    schedule.inner_sigmas.push_back(last ? 0.0 : schedule.sigmas[i + 1]);
    schedule.inner_timesteps.push_back(last ? 0.0 : schedule.timesteps[i + 1]);
  }
}

/// PNDM's list in diffusers holds its second time twice, and leaving out the first `first` entries of that leaves the
/// step before the wanted one and drops the wanted one itself, which is only the first step's second look.
Schedule rest_of_pndm(const Schedule& schedule, int64_t first) {
  Schedule rest = starting_at(schedule, first - 1);
  for (auto* list : {&rest.sigmas, &rest.timesteps, &rest.landings, &rest.inner_sigmas, &rest.inner_timesteps}) {
    list->erase(list->begin() + 1);
  }
  return rest;
}

}  // namespace

const SamplerEntry& sampler_of(const ModelSchedule& model, const ScheduleRequest& request) {
  return *named_sampler(model, request).sampler;
}

SamplerOptions sampler_options(const ModelSchedule& model, const ScheduleRequest& request) {
  SamplerOptions options;
  options.order = model.order;
  options.unipc = model.unipc;
  options.dpm = model.dpm;
  options.disable_corrector = model.disable_corrector;
  options.averages_velocity = model.prediction == Prediction::velocity;
  options.eta = request.eta;
  return options;
}

int64_t first_step(const ModelSchedule& model, int64_t steps, double strength) {
  require(strength >= 0 && strength <= 1, ErrorKind::usage, "strength: expected 0 to 1, found ", strength);
  const double done = static_cast<double>(steps) * strength;
  return model.is_flow() ? static_cast<int64_t>(static_cast<double>(steps) - done) : steps - static_cast<int64_t>(done);
}

Schedule make_schedule(const ModelSchedule& model, const ScheduleRequest& request) {
  check(request);
  const NamedSampler named = named_sampler(model, request);
  const SamplerEntry& sampler = *named.sampler;
  const bool implied = usual_spelling(request.schedule) == "auto" && !named.schedule.empty();
  const Choice choice = choice_of(model, implied ? named.schedule : request.schedule);
  const double eta = request.eta.value_or(sampler.eta);
  require(eta >= 0 && eta <= 1, ErrorKind::usage, "eta: expected 0 to 1, found ", eta);

  const auto table = model.is_flow() ? std::vector<double>{} : vp_sigma_table(model.betas);
  Schedule schedule =
      model.is_flow() ? flow_list(model, sampler, request, choice) : vp_list(model, sampler, request, choice, table);
  if (sampler.run == sample_tcd && !model.is_flow()) land_beyond(schedule, eta, table);
  const bool doubled = sampler.run == sample_pndm && !schedule.landings.empty();
  if (doubled) add_second_look(schedule);

  const int64_t first = first_step(model, schedule.steps(), request.strength);
  require(first < schedule.steps(), ErrorKind::usage, "strength: ", request.strength, " of ", schedule.steps(),
          " steps leaves none to do; hint: more steps or a greater strength");
  schedule = doubled && first > 1 ? rest_of_pndm(schedule, first) : starting_at(schedule, first);
  if (sampler.inner != InnerPoints::none) {
    schedule = with_inner_points(std::move(schedule), sampler.inner, eta, [&](double sigma) {
      return to_float(model.is_flow() ? flow_time(sigma) : time_at_sigma(table, sigma));
    });
  }
  validate(schedule);
  return schedule;
}

std::vector<std::string> schedule_names() {
  std::vector<std::string> names{"auto"};
  for (const auto& known : kTimes) names.emplace_back(known.name);
  for (const auto law : kLaws) names.emplace_back(law);
  for (auto& name : named_list_names()) names.push_back(std::move(name));
  names.emplace_back("ays");
  return names;
}

}  // namespace keyflow::schedulers
