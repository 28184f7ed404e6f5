#include "schedulers/spacing.h"

#include <cmath>

#include "schedulers/beta_quantile.h"

namespace keyflow::schedulers {

std::vector<double> linspace(double first, double last, int64_t count) {
  std::vector<double> values(count);
  const double step = count > 1 ? (last - first) / static_cast<double>(count - 1) : 0.0;
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<double>(i) * step + first;
  if (count > 1) values.back() = last;
  return values;
}

std::vector<double> spaced(const std::vector<double>& sigmas, Spacing spacing) {
  if (spacing == Spacing::as_shifted) return sigmas;
  constexpr double kRho = 7.0, kBeta = 0.6;
  const double most = sigmas.front(), least = sigmas.back();
  const double most_root = std::pow(most, 1 / kRho), least_root = std::pow(least, 1 / kRho);
  std::vector<double> values;
  for (const double r : linspace(0.0, 1.0, static_cast<int64_t>(sigmas.size()))) {
    switch (spacing) {
      case Spacing::karras:
        values.push_back(std::pow(most_root + r * (least_root - most_root), kRho));
        break;
      case Spacing::exponential:
        values.push_back(std::exp(std::log(most) + r * (std::log(least) - std::log(most))));
        break;
      case Spacing::beta:
        values.push_back(least + beta_quantile(1.0 - r, kBeta, kBeta) * (most - least));
        break;
      case Spacing::as_shifted:
        break;
    }
  }
  return values;
}

}  // namespace keyflow::schedulers
