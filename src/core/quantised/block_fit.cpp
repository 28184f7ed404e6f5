#include "core/quantised/block_fit.h"

#include <algorithm>
#include <cmath>

namespace keyflow {
namespace {

constexpr int kMostValues = 32;
constexpr float kTiny = 1e-30f;  // below it a run of values counts as zero, and no quotient overflows

/// Weighted sums over the values and their levels.
struct Sums {
  double w = 0, q = 0, qq = 0, x = 0, xq = 0;
};

double square_error(const float* x, const float* weights, const int* q, int count, const AffineFit& fit) {
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    const double off = static_cast<double>(fit.step) * q[i] - fit.depth - x[i];
    sum += weights[i] * off * off;
  }
  return sum;
}

/// The best step and depth for given levels; depth is held at 0 where it would be negative.
AffineFit solve(const Sums& s) {
  const double determinant = s.w * s.qq - s.q * s.q;
  if (determinant <= 0) return {};
  double step = (s.w * s.xq - s.x * s.q) / determinant, offset = (s.qq * s.x - s.q * s.xq) / determinant;
  if (offset > 0) {
    offset = 0;
    step = s.xq / s.qq;
  }
  return {static_cast<float>(std::max(step, 0.0)), static_cast<float>(-offset)};
}

}  // namespace

int rounded_within(float x, int least, int most) {
  return static_cast<int>(std::nearbyint(std::clamp(x, static_cast<float>(least), static_cast<float>(most))));
}

AffineFit fit_affine(const float* x, int count, int most, int tries) {
  const float low = std::min(0.f, *std::min_element(x, x + count)), high = *std::max_element(x, x + count);
  const float range = high - low;
  if (range < kTiny) return {0, -low};
  float weights[kMostValues], square = 0;
  for (int i = 0; i < count; ++i) square += x[i] * x[i];
  const float rms = std::sqrt(square / static_cast<float>(count));
  for (int i = 0; i < count; ++i) weights[i] = rms + std::fabs(x[i]);
  AffineFit best{range / static_cast<float>(most), -low};
  double least_error = -1;
  for (int k = 0; k <= tries; ++k) {
    // From one level fewer to one more than the range has.
    const float levels = static_cast<float>(most) - 1 + 2 * static_cast<float>(k) / static_cast<float>(tries);
    int q[kMostValues];
    Sums s;
    for (int i = 0; i < count; ++i) {
      q[i] = rounded_within(levels / range * (x[i] - low), 0, most);
      const double w = weights[i], level = q[i];
      s.w += w;
      s.q += w * level;
      s.qq += w * level * level;
      s.x += w * x[i];
      s.xq += w * x[i] * level;
    }
    const AffineFit fit = solve(s);
    const double error = square_error(x, weights, q, count, fit);
    if (fit.step <= 0 || (least_error >= 0 && error >= least_error)) continue;
    least_error = error;
    best = fit;
  }
  return best;
}

float fit_symmetric(const float* x, int count, int half) {
  float farthest = 0;
  for (int i = 0; i < count; ++i) {
    if (std::fabs(x[i]) > std::fabs(farthest)) farthest = x[i];
  }
  if (std::fabs(farthest) < kTiny) return 0;
  double best = 0, step = 0;
  for (int k = -9; k <= 9; ++k) {
    const float scale = -(static_cast<float>(half) + 0.1f * static_cast<float>(k)) / farthest;
    double xq = 0, qq = 0;
    for (int i = 0; i < count; ++i) {
      const double q = rounded_within(scale * x[i], -half, half - 1), value = x[i], w = value * value;
      xq += w * value * q;
      qq += w * q * q;
    }
    if (qq <= 0 || xq * xq <= best * qq) continue;
    best = xq * xq / qq;
    step = xq / qq;
  }
  return static_cast<float>(step);
}

}  // namespace keyflow
