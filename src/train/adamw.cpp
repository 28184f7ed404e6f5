#include "train/adamw.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros_like.h>

#include "core/error.h"

namespace keyflow::train {

AdamW::AdamW(NamedTensors parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const auto& [name, parameter] : parameters_) {
    m_.push_back(at::zeros_like(parameter));
    v_.push_back(at::zeros_like(parameter));
    ema_.emplace_back(name, parameter.detach().clone());
  }
}

double AdamW::step(double learning_rate) {
  const at::NoGradGuard no_grad;
  double square = 0;
  for (const auto& [name, parameter] : parameters_) {
    if (parameter.grad().defined()) square += parameter.grad().square().sum().item<double>();
  }
  const double norm = std::sqrt(square);
  require(std::isfinite(norm), ErrorKind::numeric, "training step ", steps_, ": the gradient is not finite");
  const double scale = options_.clip_norm > 0 && norm > options_.clip_norm ? options_.clip_norm / norm : 1.0;
  ++steps_;
  const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(steps_));
  const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(steps_));
  const double decay =
      std::min(options_.ema_decay, (1.0 + static_cast<double>(steps_)) / (10.0 + static_cast<double>(steps_)));
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& parameter = parameters_[i].second;
    if (!parameter.grad().defined()) continue;
    const at::Tensor gradient = parameter.grad() * scale;
    m_[i].mul_(options_.beta1).add_(gradient, 1 - options_.beta1);
    v_[i].mul_(options_.beta2).addcmul_(gradient, gradient, 1 - options_.beta2);
    if (parameter.dim() > 1) parameter.mul_(1 - learning_rate * options_.weight_decay);
    const at::Tensor denominator = (v_[i] / correction2).sqrt_().add_(options_.eps);
    parameter.addcdiv_(m_[i], denominator, -learning_rate / correction1);
    ema_[i].second.lerp_(parameter, 1 - decay);
    parameter.mutable_grad().reset();
  }
  return norm;
}

void AdamW::reset_ema() {
  for (size_t i = 0; i < parameters_.size(); ++i) ema_[i].second.copy_(parameters_[i].second.detach());
}

NamedTensors AdamW::state() const {
  NamedTensors list;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    list.emplace_back("adamw.m." + parameters_[i].first, m_[i]);
    list.emplace_back("adamw.v." + parameters_[i].first, v_[i]);
    list.emplace_back("ema." + parameters_[i].first, ema_[i].second);
  }
  list.emplace_back("adamw.steps", at::scalar_tensor(steps_, at::kLong));
  return list;
}

void AdamW::load_state(const NamedTensors& state) {
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> by_name(state.begin(), state.end());
  const auto take = [&](const std::string& name, at::Tensor target) {
    const auto found = by_name.find(name);
    require(found != by_name.end() && found->second.sizes() == target.sizes(), ErrorKind::weights,
            "training state: ", name,
            " is missing or of another shape; hint: was it written by another configuration?");
    target.copy_(found->second);
  };
  for (size_t i = 0; i < parameters_.size(); ++i) {
    take("adamw.m." + parameters_[i].first, m_[i]);
    take("adamw.v." + parameters_[i].first, v_[i]);
    take("ema." + parameters_[i].first, ema_[i].second);
  }
  at::Tensor steps = at::scalar_tensor(0, at::kLong);
  take("adamw.steps", steps);
  steps_ = steps.item<int64_t>();
}

}  // namespace keyflow::train
