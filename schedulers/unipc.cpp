#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "schedulers/sampler_loop.h"

namespace keyflow::schedulers {
namespace {

constexpr int64_t kHighestOrder = 5;

/// Solves the small dense system a x = b by elimination with the largest pivot.
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < n; ++row) {
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    }
    std::swap(a[column], a[pivot]);
    std::swap(b[column], b[pivot]);
    for (size_t row = column + 1; row < n; ++row) {
      const double factor = a[row][column] / a[column][column];
      for (size_t k = column; k < n; ++k) a[row][k] -= factor * a[column][k];
      b[row] -= factor * b[column];
    }
  }
  for (size_t row = n; row-- > 0;) {
    for (size_t k = row + 1; k < n; ++k) b[row] -= a[row][k] * b[k];
    b[row] /= a[row][row];
  }
  return b;
}

/// The weights rho of the differences at the places `r` (in units of h): sum rho_m r_m^(k-1) = k! phi_{k+1} / B(h).
std::vector<double> weights_at(const std::vector<double>& r, double h, double b_of_h) {
  std::vector<std::vector<double>> powers;
  std::vector<double> right;
  double phi = std::expm1(-h) / -h - 1.0, factorial = 1.0;
  for (size_t k = 1; k <= r.size(); ++k) {
    std::vector<double> row;
    for (const double place : r) row.push_back(std::pow(place, static_cast<double>(k - 1)));
    powers.push_back(std::move(row));
    right.push_back(phi * factorial / b_of_h);
    factorial *= static_cast<double>(k + 1);
    phi = phi / -h - 1.0 / factorial;
  }
  return solve(std::move(powers), std::move(right));
}

/// Earlier denoised samples, as differences to the newest one of a step and their places in units of its h.
struct Differences {
  std::vector<double> r;
  std::vector<at::Tensor> d;
};

/// The differences to outputs[0], which stands at sigmas[at]; outputs[1] is one step older, and so on. Points at equal
/// sigmas say nothing new and points infinitely far away say nothing at all: both are left out, which lowers the order.
Differences differences(const Schedule& schedule, int64_t at, double h, const std::vector<at::Tensor>& outputs,
                        int64_t order) {
  Differences result;
  double nearest_used = 0.0;
  for (int64_t k = 1; k < order; ++k) {
    const double r = -exponential_step(schedule, at - k, at).h / h;
    if (!std::isfinite(r) || r >= nearest_used) continue;
    nearest_used = r;
    result.r.push_back(r);
    result.d.push_back((outputs[k] - outputs[0]) / r);
  }
  return result;
}

at::Tensor weighted(const std::vector<double>& rho, const std::vector<at::Tensor>& d) {
  at::Tensor sum = rho[0] * d[0];
  for (size_t k = 1; k < d.size(); ++k) sum = sum + rho[k] * d[k];
  return sum;
}

/// B(h) of the variant.
double b_of(UniPcVariant variant, const ExponentialStep& step) {
  return variant == UniPcVariant::bh1 ? -step.h : step.phi1;
}

/// UniP: from x at sigmas[i] to sigmas[i + 1]. outputs: denoised samples at i, i - 1, ...
at::Tensor predict(const Schedule& schedule, int64_t i, const at::Tensor& x, const std::vector<at::Tensor>& outputs,
                   int64_t order, UniPcVariant variant) {
  const auto step = exponential_step(schedule, i, i + 1);
  auto next = step.ratio * x - step.alpha * step.phi1 * outputs[0];
  if (!std::isfinite(step.h) || step.h == 0) return next;
  const auto past = differences(schedule, i, step.h, outputs, order);
  if (past.r.empty()) return next;
  const double b = b_of(variant, step);
  const auto rho = past.r.size() == 1 ? std::vector<double>{0.5} : weights_at(past.r, step.h, b);
  return next - step.alpha * b * weighted(rho, past.d);
}

/// UniC: x at sigmas[i] again, from `from` at sigmas[i - 1], now that the model has been asked at i.
/// outputs: denoised samples at i - 1, i - 2, ...
at::Tensor correct(const Schedule& schedule, int64_t i, const at::Tensor& predicted, const at::Tensor& from,
                   const at::Tensor& denoised, const std::vector<at::Tensor>& outputs, int64_t order,
                   UniPcVariant variant) {
  const auto step = exponential_step(schedule, i - 1, i);
  const double b = b_of(variant, step);
  if (step.h == 0 || !std::isfinite(b)) return predicted;
  auto past = differences(schedule, i - 1, step.h, outputs, order);
  past.r.push_back(1.0);
  past.d.push_back(denoised - outputs[0]);
  const auto rho = past.r.size() == 1 ? std::vector<double>{0.5} : weights_at(past.r, step.h, b);
  return step.ratio * from - step.alpha * step.phi1 * outputs[0] - step.alpha * b * weighted(rho, past.d);
}

}  // namespace

at::Tensor sample_unipc(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                        const SamplerOptions& options) {
  const int64_t most = options.order, steps = schedule.steps();
  require(most >= 1 && most <= kHighestOrder, ErrorKind::usage, "unipc order: expected 1 to ", kHighestOrder,
          ", found ", most);
  const auto order_at = [&](int64_t i) { return std::min({most, steps - i, i + 1}); };
  // The history is the sample that the last predictor left from, then denoised samples, newest first.
  auto state = begin(x, schedule, options, [&](int64_t i) { return i == 0 ? 0 : 1 + std::min(i, most); });
  while (state.step < steps) {
    const int64_t i = state.step;
    const auto denoised = denoised_at(denoise, state.latents, i);
    at::Tensor here = state.latents;
    std::vector<at::Tensor> outputs;
    if (i > 0) {
      outputs.assign(state.history.begin() + 1, state.history.end());
      const auto& off = options.disable_corrector;
      if (std::find(off.begin(), off.end(), i - 1) == off.end()) {
        here = correct(schedule, i, here, state.history[0], denoised, outputs, order_at(i - 1), options.unipc);
      }
    }
    outputs.insert(outputs.begin(), denoised);
    if (static_cast<int64_t>(outputs.size()) > most) outputs.pop_back();
    auto next = predict(schedule, i, here, outputs, order_at(i), options.unipc);
    state.history = {here};
    state.history.insert(state.history.end(), outputs.begin(), outputs.end());
    finish_step(state, std::move(next), denoised, options);
  }
  return state.latents;
}

}  // namespace keyflow::schedulers
