#include "bench/op_meter.h"

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>

#include <chrono>
#include <string_view>

namespace keyflow::bench {
namespace {

using Clock = std::chrono::steady_clock;
enum class Kind { none, matmul, conv, attention };

Kind kind_of(std::string_view name) {
  if (name == "aten::linear" || name == "aten::addmm" || name == "aten::mm" || name == "aten::bmm" ||
      name == "aten::baddbmm" || name == "aten::matmul" || name == "mkldnn::_linear_pointwise" ||
      name == "mkl::_mkl_linear") {
    return Kind::matmul;
  }
  if (name == "aten::conv2d" || name == "aten::conv3d" || name == "aten::convolution" ||
      name == "mkldnn::_convolution_pointwise") {
    return Kind::conv;
  }
  return name == "aten::scaled_dot_product_attention" ? Kind::attention : Kind::none;
}

double numel(const at::Tensor& x) { return static_cast<double>(x.numel()); }

/// 2 x multiply-adds, from the shapes of inputs and output.
double flop_of(Kind kind, std::string_view name, const std::vector<c10::IValue>& in, const at::Tensor& out) {
  const auto tensor = [&](size_t i) { return in[i].toTensor(); };
  switch (kind) {
    case Kind::attention:
      return 4 * numel(tensor(0)) * static_cast<double>(tensor(1).size(-2));
    case Kind::conv:
      return 2 * numel(out) * numel(tensor(1)) / static_cast<double>(tensor(1).size(0));
    case Kind::matmul: {
      const bool added = name == "aten::addmm" || name == "aten::baddbmm";
      return 2 * numel(out) * static_cast<double>(tensor(added ? 1 : 0).size(-1));
    }
    case Kind::none:
      break;
  }
  return 0;
}

OpCount* meter = nullptr;
int depth = 0;  // inside an operator that is already counted: linear calls addmm, conv2d calls convolution

struct Visit : at::ObserverContext {
  Kind kind = Kind::none;
  Clock::time_point start;
  std::vector<c10::IValue> inputs;
};

std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction& function) {
  auto visit = std::make_unique<Visit>();
  visit->kind = kind_of(function.name());
  if (visit->kind == Kind::none) return visit;
  if (depth++ == 0) {
    const auto inputs = function.inputs();
    visit->inputs.assign(inputs.begin(), inputs.end());
    visit->start = Clock::now();
  }
  return visit;
}

void leave(const at::RecordFunction& function, at::ObserverContext* context) {
  auto* visit = static_cast<Visit*>(context);
  if (visit->kind == Kind::none || --depth > 0 || meter == nullptr) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - visit->start).count();
  (visit->kind == Kind::matmul ? meter->matmul_s
   : visit->kind == Kind::conv ? meter->conv_s
                               : meter->attention_s) += seconds;
  const auto outputs = function.outputs();
  if (!outputs.empty() && outputs[0].isTensor()) {
    meter->flop += flop_of(visit->kind, function.name(), visit->inputs, outputs[0].toTensor());
  }
}

}  // namespace

OpCount count_operators(const std::function<void()>& run) {
  OpCount count;
  meter = &count;
  depth = 0;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(enter, leave)
                                                     .needsInputs(true)
                                                     .needsOutputs(true)
                                                     .scopes({at::RecordScope::FUNCTION}));
  const auto start = Clock::now();
  run();
  count.total_s = std::chrono::duration<double>(Clock::now() - start).count();
  at::removeCallback(handle);
  meter = nullptr;
  return count;
}

}  // namespace keyflow::bench
