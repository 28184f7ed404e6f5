#include "media/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace keyflow::media {
namespace {

// Pillow keeps 8 bits for the sample and 2 for the sign and overshoot of the kernel.
constexpr int kPrecisionBits = 32 - 8 - 2;

double support_of(Kernel kernel) { return kernel == Kernel::bicubic ? 2.0 : 3.0; }

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double value_of(Kernel kernel, double x) {
  if (kernel == Kernel::lanczos) return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

int32_t fixed_point(double weight) {
  return static_cast<int32_t>(weight * (1 << kPrecisionBits) + (weight < 0 ? -0.5 : 0.5));
}

uint8_t clamp_to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255)); }

}  // namespace

Axis::Axis(Kernel kernel, int64_t from, int64_t to, int64_t begin, int64_t count) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  const double support = support_of(kernel) * stretch;
  taps = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  weights.assign(static_cast<size_t>(count * taps), 0);
  std::vector<double> exact(static_cast<size_t>(taps));
  for (int64_t k = 0; k < count; ++k) {
    const double centre = (static_cast<double>(begin + k) + 0.5) * scale;
    const int64_t low = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0);
    const int64_t high = std::min(static_cast<int64_t>(centre + support + 0.5), from);
    double total = 0.0;
    for (int64_t i = 0; i < high - low; ++i) {
      const double distance = static_cast<double>(i + low) - centre + 0.5;
      exact[static_cast<size_t>(i)] = value_of(kernel, distance * (1.0 / stretch));
      total += exact[static_cast<size_t>(i)];
    }
    for (int64_t i = 0; i < high - low; ++i) {
      weights[static_cast<size_t>(k * taps + i)] = fixed_point(exact[static_cast<size_t>(i)] / total);
    }
    starts.push_back(low);
    counts.push_back(high - low);
  }
  first = starts.front();
  inputs = starts.back() + counts.back() - first;
  for (int64_t& start : starts) start -= first;
}

void resample_columns(const Axis& axis, const uint8_t* source, int64_t rows, int64_t stride, uint8_t* target) {
  const auto outputs = static_cast<int64_t>(axis.starts.size());
  for (int64_t y = 0; y < rows; ++y) {
    const uint8_t* line = source + y * stride;
    for (int64_t x = 0; x < outputs; ++x) {
      const uint8_t* samples = line + axis.starts[static_cast<size_t>(x)];
      const int32_t* weights = axis.weights.data() + x * axis.taps;
      int32_t sum = 1 << (kPrecisionBits - 1);
      for (int64_t i = 0; i < axis.counts[static_cast<size_t>(x)]; ++i) sum += samples[i] * weights[i];
      target[y * outputs + x] = clamp_to_byte(sum);
    }
  }
}

void resample_rows(const Axis& axis, const uint8_t* source, int64_t width, int64_t stride, uint8_t* target) {
  std::vector<int32_t> sums(static_cast<size_t>(width));
  for (size_t y = 0; y < axis.starts.size(); ++y) {
    std::fill(sums.begin(), sums.end(), 1 << (kPrecisionBits - 1));
    const int32_t* weights = axis.weights.data() + static_cast<int64_t>(y) * axis.taps;
    for (int64_t i = 0; i < axis.counts[y]; ++i) {
      const uint8_t* line = source + (axis.starts[y] + i) * stride;
      const int32_t weight = weights[i];
      for (int64_t x = 0; x < width; ++x) sums[static_cast<size_t>(x)] += line[x] * weight;
    }
    for (int64_t x = 0; x < width; ++x)
      target[static_cast<int64_t>(y) * width + x] = clamp_to_byte(sums[static_cast<size_t>(x)]);
  }
}

}  // namespace keyflow::media
