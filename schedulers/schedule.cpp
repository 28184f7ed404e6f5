#include "schedulers/schedule.h"

#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow::schedulers {

double alpha_of(NoisePath path, double sigma) {
  switch (path) {
    case NoisePath::flow:
      return 1.0 - sigma;
    case NoisePath::vp:
      return 1.0 / std::sqrt(1.0 + sigma * sigma);
    case NoisePath::ve:
      return 1.0;
  }
  fail(ErrorKind::internal, "schedule: unknown noise path");
}

double spread_of(NoisePath path, double sigma) { return path == NoisePath::vp ? sigma * alpha_of(path, sigma) : sigma; }

double Schedule::sigma(int64_t i) const { return i > steps() ? inner_sigmas.at(step_of(i)) : sigmas.at(i); }
double Schedule::timestep(int64_t i) const { return i > steps() ? inner_timesteps.at(step_of(i)) : timesteps.at(i); }
double Schedule::alpha(int64_t i) const { return alpha_of(path, sigma(i)); }
double Schedule::spread(int64_t i) const { return spread_of(path, sigma(i)); }

double Schedule::lambda(int64_t i) const { return std::log(alpha(i)) - std::log(spread(i)); }

void validate(const Schedule& schedule) {
  const auto& sigmas = schedule.sigmas;
  require(!schedule.timesteps.empty(), ErrorKind::usage, "schedule: expected at least 1 step, found none");
  require(sigmas.size() == schedule.timesteps.size() + 1, ErrorKind::usage, "schedule: expected ",
          schedule.timesteps.size() + 1, " sigmas for ", schedule.timesteps.size(), " steps, found ", sigmas.size());
  require(schedule.landings.empty() || schedule.landings.size() == schedule.timesteps.size(), ErrorKind::usage,
          "schedule: expected ", schedule.timesteps.size(), " landings or none, found ", schedule.landings.size());
  const size_t inner = schedule.inner_sigmas.size();
  require((inner == 0 || inner == schedule.timesteps.size()) && schedule.inner_timesteps.size() == inner,
          ErrorKind::usage, "schedule: expected ", schedule.timesteps.size(), " inner sigmas and times or none, found ",
          inner, " and ", schedule.inner_timesteps.size());
  for (size_t i = 0; i < sigmas.size(); ++i) {
    const bool last = i + 1 == sigmas.size();
    require(std::isfinite(sigmas[i]) && (last ? sigmas[i] >= 0 : sigmas[i] > 0), ErrorKind::usage, "sigma ", i,
            ": expected a positive number", last ? " or 0" : "", ", found ", sigmas[i]);
    require(schedule.path != NoisePath::flow || sigmas[i] <= 1, ErrorKind::usage, "sigma ", i,
            ": expected at most 1 for a flow model, found ", sigmas[i]);
    require(i == 0 || sigmas[i] <= sigmas[i - 1], ErrorKind::usage, "sigma ", i, ": expected at most ",
            i == 0 ? sigmas[i] : sigmas[i - 1], ", the one before it, found ", sigmas[i]);
  }
}

Schedule starting_at(const Schedule& schedule, int64_t first) {
  require(first >= 0 && first < schedule.steps(), ErrorKind::usage, "first step: expected 0 to ", schedule.steps() - 1,
          ", found ", first);
  Schedule rest = schedule;
  for (auto* list : {&rest.sigmas, &rest.timesteps, &rest.landings, &rest.inner_sigmas, &rest.inner_timesteps}) {
    if (!list->empty()) list->erase(list->begin(), list->begin() + first);
  }
  return rest;
}

at::Tensor add_noise(const at::Tensor& x0, const at::Tensor& noise, const Schedule& schedule, int64_t step) {
  require_shape(noise, x0.sizes(), "noise");
  return x0.to(at::kFloat) * schedule.alpha(step) + noise.to(at::kFloat) * schedule.spread(step);  // as x0
}

}  // namespace keyflow::schedulers
