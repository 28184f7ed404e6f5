#include "ops/packed_conv.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/ones.h>

#include <optional>

namespace keyflow::ops {
namespace {

using torch::jit::Stack;

/// These operators are libtorch's own, made for compiled graphs, and have no C++ declaration.
struct Kernels {
  c10::OperatorHandle reorder, convolve;
};

std::optional<Kernels> find_kernels() {
  auto& dispatcher = c10::Dispatcher::singleton();
  const auto reorder = dispatcher.findSchema({"mkldnn::_reorder_convolution_weight", ""}),
             convolve = dispatcher.findSchema({"mkldnn::_convolution_pointwise", ""});
  if (!reorder || !convolve) return std::nullopt;
  return Kernels{*reorder, *convolve};
}

const std::optional<Kernels>& kernels() {
  static const std::optional<Kernels> found = find_kernels();
  return found;
}

std::vector<int64_t> both(int64_t value) { return {value, value}; }

at::Tensor call(const c10::OperatorHandle& kernel, Stack stack) {
  kernel.callBoxed(stack);
  return stack.at(0).toTensor();
}

at::Tensor reorder(const at::Tensor& weight, const ConvSteps& steps) {
  return call(kernels()->reorder,
              {weight, both(steps.padding), both(steps.stride), both(1), int64_t{1}, c10::IValue()});
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias, const ConvSteps& steps) {
  const c10::IValue summand = bias.defined() ? c10::IValue(bias) : c10::IValue();
  return call(kernels()->convolve, {x, packed, summand, both(steps.padding), both(steps.stride), both(1), int64_t{1},
                                    std::string("none"), c10::List<std::optional<at::Scalar>>(), std::string()});
}

/// Half types need instructions that only the kernel itself knows to look for: it says so by an exception.
bool works(at::ScalarType type) {
  if (!kernels()) return false;
  try {
    const at::Tensor x = at::ones({1, 4, 3, 3}, type).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor weight = at::ones({4, 4, 3, 3}, type), y = convolve(x, reorder(weight, {1, 1}), {}, {1, 1});
    return y[0][0][1][1].item<double>() == 36;
  } catch (const c10::Error&) {
    return false;
  }
}

bool usable(at::ScalarType type) {
  static const bool single = works(at::kFloat), half = works(at::kBFloat16);
  return type == at::kFloat ? single : type == at::kBFloat16 && half;
}

}  // namespace

at::Tensor pack_conv2d(const at::Tensor& weight, const ConvSteps& steps) {
  const bool fits = weight.is_cpu() && weight.dim() == 4 && weight.numel() > 0 && usable(weight.scalar_type());
  return fits ? reorder(weight.contiguous(), steps) : at::Tensor();
}

at::Tensor packed_conv2d(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias,
                         const ConvSteps& steps) {
  return convolve(x.contiguous(at::MemoryFormat::ChannelsLast), packed, bias, steps);
}

at::Tensor packed_conv2d_plain(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias,
                               const ConvSteps& steps) {
  return at::conv2d(x, packed.to_dense(), bias, steps.stride, steps.padding);
}

}  // namespace keyflow::ops
