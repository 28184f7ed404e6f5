#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cumprod.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "schedulers/vp_schedule.h"

namespace keyflow::schedulers {
namespace {

constexpr int64_t kTrainSteps = 1000;

at::Tensor betas_of(const Betas& betas) {
  if (betas.law == BetaLaw::linear) return at::linspace(betas.first, betas.last, kTrainSteps, at::kFloat);  // [S]
  if (betas.law == BetaLaw::scaled_linear) {
    return at::linspace(std::sqrt(betas.first), std::sqrt(betas.last), kTrainSteps, at::kFloat).square();  // [S]
  }
  constexpr double kLargest = 0.999;
  const auto kept = [](double u) { return std::pow(std::cos((u + 0.008) / 1.008 * M_PI / 2), 2); };
  std::vector<double> values;
  for (int64_t i = 0; i < kTrainSteps; ++i) {
    const double here = kept(static_cast<double>(i) / kTrainSteps),
                 next = kept(static_cast<double>(i + 1) / kTrainSteps);
    values.push_back(std::min(1 - next / here, kLargest));
  }
  return at::tensor(values, at::kDouble).to(at::kFloat);  // [S]
}

at::Tensor zero_terminal(const at::Tensor& betas) {
  auto root = (1.0 - betas).cumprod(0).sqrt();  // [S]
  const auto first = root[0].clone(), last = root[-1].clone();
  root = (root - last) * (first / (first - last));
  const auto kept = root.square();                                                                    // [S]
  return 1.0 - at::cat({kept.slice(0, 0, 1), kept.slice(0, 1) / kept.slice(0, 0, kTrainSteps - 1)});  // [S]
}

}  // namespace

std::vector<double> vp_sigma_table(const Betas& betas) {
  require(betas.law == BetaLaw::squaredcos || (betas.first > 0 && betas.first <= betas.last && betas.last < 1),
          ErrorKind::config, "betas: expected 0 < first <= last < 1, found ", betas.first, " and ", betas.last);
  auto values = betas_of(betas);
  if (betas.zero_terminal_snr) values = zero_terminal(values);
  auto kept = (1.0 - values).cumprod(0);  // [S]
  // Pure noise would be an infinite sigma: the source takes the least half-precision number instead.
  if (betas.zero_terminal_snr) kept[-1] = std::ldexp(1.0, -24);
  const auto sigmas = ((1.0 - kept) / kept).sqrt().to(at::kDouble).contiguous();  // [S]
  const auto* data = sigmas.const_data_ptr<double>();
  return {data, data + kTrainSteps};
}

namespace {

/// The entry below a time, which has one above it.
size_t entry_below(const std::vector<double>& table, double time) {
  return std::min(static_cast<size_t>(time), table.size() - 2);
}

}  // namespace

double sigma_at_time(const std::vector<double>& table, double time) {
  const size_t low = entry_below(table, time);
  return (table[low + 1] - table[low]) * (time - static_cast<double>(low)) + table[low];
}

double log_sigma_at_time(const std::vector<double>& table, double time) {
  const size_t low = entry_below(table, time);
  const double share = time - static_cast<double>(low);
  return std::exp((1 - share) * std::log(table[low]) + share * std::log(table[low + 1]));
}

double time_at_sigma(const std::vector<double>& table, double sigma) {
  const auto log_at = [&](size_t i) {
    return static_cast<double>(static_cast<float>(std::log(static_cast<float>(table[i]))));
  };
  const double wanted = std::log(std::max(sigma, 1e-10));
  size_t low = 0;
  while (low + 2 < table.size() && log_at(low + 1) <= wanted) ++low;
  const double share = std::clamp((log_at(low) - wanted) / (log_at(low) - log_at(low + 1)), 0.0, 1.0);
  return (1 - share) * static_cast<double>(low) + share * static_cast<double>(low + 1);
}

}  // namespace keyflow::schedulers
