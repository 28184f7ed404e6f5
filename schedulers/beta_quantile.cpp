#include "schedulers/beta_quantile.h"

#include <cmath>
#include <limits>

#include "core/error.h"

namespace keyflow::schedulers {
namespace {

/// The fraction 1/(1+ d1/(1+ d2/(1+ ...))) by Lentz's method; it converges fast for x < (a+1)/(a+b+2).
double beta_fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  double value = 1.0, c = 1.0, d = 0.0;
  for (int i = 0; i < 500; ++i) {
    const int m = i / 2;
    double numerator = 1.0;
    if (i > 0) {
      numerator = i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                             : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    }
    d = 1.0 + numerator * d;
    d = 1.0 / (std::abs(d) < kTiny ? kTiny : d);
    c = 1.0 + numerator / c;
    if (std::abs(c) < kTiny) c = kTiny;
    value *= c * d;
    if (std::abs(1.0 - c * d) < std::numeric_limits<double>::epsilon()) break;
  }
  return value - 1.0;
}

/// The distribution function I_x(a, b).
double beta_cdf(double x, double a, double b) {
  if (x <= 0) return 0.0;
  if (x >= 1) return 1.0;
  const double log_front = std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  if (x < (a + 1) / (a + b + 2)) return std::exp(log_front) * beta_fraction(x, a, b) / a;
  return 1.0 - std::exp(log_front) * beta_fraction(1 - x, b, a) / b;
}

}  // namespace

double beta_quantile(double p, double a, double b) {
  require(p >= 0 && p <= 1 && a > 0 && b > 0, ErrorKind::internal, "beta quantile: expected p in [0, 1], a and b > 0");
  if (p == 0 || p == 1) return p;
  // Past the middle the answer is found from the other end, where small distances keep their digits.
  if (p > 0.5) return 1.0 - beta_quantile(1.0 - p, b, a);
  double low = 0.0, high = 1.0;
  for (int i = 0; i < 200 && high - low > 1e-16 * high; ++i) {
    const double middle = 0.5 * (low + high);
    (beta_cdf(middle, a, b) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace keyflow::schedulers
