#include "ops/channel_norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/vectorised.h"

namespace keyflow::ops {
namespace {

template <class T>
KEYFLOW_INLINE float inverse_norm(const T* x, int64_t C) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t c = 0; c < C; ++c) squares += to_float(x[c]) * to_float(x[c]);
  return std::sqrt(static_cast<float>(C)) / std::max(std::sqrt(squares), 1e-12f);
}

// The rows are functions of their own with values for parameters: what a lambda holds by reference keeps the compiler
// from vectorising. SiLU's argument may leave the exponential's range only where the answer is u or 0 anyway; NaN stays
// NaN.
template <class T, bool silu>
KEYFLOW_INLINE void forward_row(const T* __restrict x, const float* __restrict gain, T* __restrict y, int64_t C) {
  const float inverse = inverse_norm(x, C);
#pragma omp simd
  for (int64_t c = 0; c < C; ++c) {
    const float u = to_float(x[c]) * inverse * gain[c];
    store(y[c], silu ? u * sigmoid(u) : u);
  }
}

/// dgamma is added to; `scaled` holds dy · gamma between the two passes.
template <class T, bool silu>
KEYFLOW_INLINE void backward_row(const T* __restrict x, const float* __restrict gain, const T* __restrict dy,
                                 T* __restrict dx, float* __restrict dgamma, float* __restrict scaled, int64_t C) {
  const float inverse = inverse_norm(x, C);
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t c = 0; c < C; ++c) {
    const float value = to_float(x[c]), unit = value * inverse, u = unit * gain[c];
    float g = to_float(dy[c]);
    if constexpr (silu) {
      const float s = sigmoid(u);
      g *= s * (1 + u * (1 - s));
    }
    dgamma[c] += g * unit;
    scaled[c] = g * gain[c];
    dot += g * gain[c] * value;
  }
  // d(x/‖x‖ · √C) = inverse · (dx - x (x · dx) / ‖x‖²), and ‖x‖² = C / inverse².
  const float along = dot * inverse * inverse / static_cast<float>(C);
#pragma omp simd
  for (int64_t c = 0; c < C; ++c) store(dx[c], inverse * (scaled[c] - to_float(x[c]) * along));
}

template <class T, bool silu>
void forward_rows(const at::Tensor& x, const at::Tensor& gamma, at::Tensor& y) {
  const int64_t C = x.size(1), rows = x.numel() / C;
  const T* in = x.const_data_ptr<T>();
  const float* gain = gamma.const_data_ptr<float>();
  T* out = y.mutable_data_ptr<T>();
  at::parallel_for(0, rows, std::max<int64_t>(1, 16384 / C), [&](int64_t begin, int64_t end) {
    vectorised([&]() __attribute__((always_inline)) {
      for (int64_t row = begin; row < end; ++row) forward_row<T, silu>(in + row * C, gain, out + row * C, C);
    });
  });
}

/// Rows are cut into a fixed number of parts, so that the sum for gamma does not depend on the number of threads.
constexpr int64_t kParts = 64;

template <class T, bool silu>
void backward_rows(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& dy, at::Tensor& dx,
                   at::Tensor& dgamma_parts) {
  const int64_t C = x.size(1), rows = x.numel() / C, part_rows = (rows + kParts - 1) / kParts;
  const T *in = x.const_data_ptr<T>(), *grad = dy.const_data_ptr<T>();
  const float* gain = gamma.const_data_ptr<float>();
  T* out = dx.mutable_data_ptr<T>();
  float* parts = dgamma_parts.mutable_data_ptr<float>();
  at::parallel_for(0, kParts, 1, [&](int64_t first, int64_t last) {
    std::vector<float> scaled(static_cast<size_t>(C));
    float* between = scaled.data();
    vectorised([&]() __attribute__((always_inline)) {
      for (int64_t part = first; part < last; ++part) {
        const int64_t end = std::min(rows, (part + 1) * part_rows);
        for (int64_t row = part * part_rows; row < end; ++row) {
          backward_row<T, silu>(in + row * C, gain, grad + row * C, out + row * C, parts + part * C, between, C);
        }
      }
    });
  });
}

bool fits(const at::Tensor& x) { return x.is_cpu() && row_type(x.scalar_type()) && (x.dim() == 4 || x.dim() == 5); }

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(x.dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast);
}

at::Tensor forward(const at::Tensor& x, const at::Tensor& gamma, AfterNorm after) {
  at::Tensor y = at::empty_like(x);
  const bool half = x.scalar_type() == at::kBFloat16, silu = after == AfterNorm::silu;
  const auto run = half ? (silu ? forward_rows<c10::BFloat16, true> : forward_rows<c10::BFloat16, false>)
                        : (silu ? forward_rows<float, true> : forward_rows<float, false>);
  run(x, gamma, y);
  return y;
}

struct Differentiable : torch::autograd::Function<Differentiable> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& gamma,
                            bool silu) {
    context->save_for_backward({x, gamma});
    context->saved_data["silu"] = silu;
    return ops::forward(x, gamma, silu ? AfterNorm::silu : AfterNorm::nothing);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &gamma = saved[1], dy = channels_last(gradients[0]);
    const bool silu = context->saved_data["silu"].toBool(), half = x.scalar_type() == at::kBFloat16;
    at::Tensor dx = at::empty_like(x), parts = at::zeros({kParts, x.size(1)}, gamma.options());
    const auto run = half ? (silu ? backward_rows<c10::BFloat16, true> : backward_rows<c10::BFloat16, false>)
                          : (silu ? backward_rows<float, true> : backward_rows<float, false>);
    run(x, gamma, dy, dx, parts);
    return {dx, parts.sum(0), at::Tensor()};
  }
};

}  // namespace

at::Tensor channel_norm_plain(const at::Tensor& x, const at::Tensor& gamma, AfterNorm after) {
  const at::Tensor y = x.to(at::kFloat);
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[1] = x.size(1);
  const at::Tensor inverse =
      at::rsqrt(y.square().sum(1, /*keepdim=*/true).clamp_min(1e-24)) * std::sqrt(static_cast<double>(x.size(1)));
  const at::Tensor scaled = y * inverse * gamma.view(shape);
  return (after == AfterNorm::silu ? at::silu(scaled) : scaled).to(x.scalar_type());
}

at::Tensor channel_norm(const at::Tensor& x, const at::Tensor& gamma, AfterNorm after) {
  if (!fits(x)) return channel_norm_plain(x, gamma, after);
  const at::Tensor rows = channels_last(x), gain = gamma.contiguous();
  if (no_gradient({x, gamma})) return forward(rows, gain, after);
  return Differentiable::apply(rows, gain, after == AfterNorm::silu);
}

}  // namespace keyflow::ops
