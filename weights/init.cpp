#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "weights/plan.h"

namespace keyflow::weights {

InitSource::InitSource(uint64_t seed, at::Device device)
    : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)), device_(device) {}

at::Tensor InitSource::get(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) {
  at::Tensor value = at::zeros(shape, at::kFloat);
  switch (init) {
    case Init::zeros:
      break;
    case Init::ones:
      value = at::ones(shape, at::kFloat);
      break;
    case Init::normal_02:
      value.normal_(0, 0.02, generator_);
      break;
    case Init::fan_in: {
      const double bound = fan_in > 0 ? 1 / std::sqrt(static_cast<double>(fan_in)) : 0;
      value.uniform_(-bound, bound, generator_);
    }
  }
  value = value.to(device_).requires_grad_();
  named_.emplace_back(name, value);
  return value;
}

std::vector<at::Tensor> InitSource::parameters() const {
  std::vector<at::Tensor> list;
  for (const auto& [name, tensor] : named_) list.push_back(tensor);
  return list;
}

}  // namespace keyflow::weights
