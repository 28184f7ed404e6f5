#include "bench/random_source.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include "core/random.h"

namespace keyflow::bench {

using weights::Init;

RandomSource::RandomSource() : values_(randn({1 << 22}, 1)) {}

at::Tensor RandomSource::get(const std::string&, at::IntArrayRef shape, Init init, int64_t fan_in) {
  at::Tensor tensor = at::empty(shape, at::kBFloat16);
  if (init == Init::ones) return tensor.fill_(1);
  if (init == Init::zeros) return tensor.zero_();
  const double scale = init == Init::fan_in && fan_in > 0 ? 0.7 / std::sqrt(static_cast<double>(fan_in)) : 0.02;
  const at::Tensor scaled = (values_ * scale).to(at::kBFloat16);
  at::Tensor flat = tensor.view({-1});
  for (int64_t begin = 0; begin < flat.numel(); begin += scaled.numel()) {
    const int64_t count = std::min(scaled.numel(), flat.numel() - begin);
    flat.narrow(0, begin, count).copy_(scaled.narrow(0, 0, count));
  }
  return tensor;
}

}  // namespace keyflow::bench
