#include "ops/qk_norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rsqrt.h>

#include "core/shape.h"
#include "ops/rope.h"
#include "ops/vectorised.h"

namespace keyflow::ops {
namespace {

template <class In>
KEYFLOW_INLINE float inverse_rms(const In* x, int64_t C, float eps) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t c = 0; c < C; ++c) squares += to_float(x[c]) * to_float(x[c]);
  return 1 / std::sqrt(squares / static_cast<float>(C) + eps);
}

/// Heads of D channels; turns: cos and sin of each of the D/2 pairs, in turn
template <class In, class Out>
KEYFLOW_INLINE void turn_heads(const In* x, const float* weight, const float* turns, Out* y, int64_t C, int64_t D,
                               float factor) {
  for (int64_t head = 0; head < C; head += D) {
#pragma omp simd
    for (int64_t j = 0; j < D; j += 2) {
      const int64_t c = head + j;
      const float a = to_float(x[c]) * factor * weight[c], b = to_float(x[c + 1]) * factor * weight[c + 1];
      store(y[c], a * turns[j] - b * turns[j + 1]);
      store(y[c + 1], a * turns[j + 1] + b * turns[j]);
    }
  }
}

/// x [B, L, C] dense -> y [B, L, C]
template <class In, class Out>
void norm_rows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& table, at::Tensor& y, float eps) {
  const int64_t L = x.size(1), C = x.size(2), D = table.defined() ? 2 * table.size(1) : 0, group = weight.size(0);
  const In* in = x.const_data_ptr<In>();
  const float* w = weight.const_data_ptr<float>();
  const float* turns = D ? reinterpret_cast<const float*>(table.const_data_ptr<c10::complex<float>>()) : nullptr;
  Out* out = y.mutable_data_ptr<Out>();
  at::parallel_for(0, x.size(0) * L, std::max<int64_t>(1, 16384 / C), [&](int64_t begin, int64_t end) {
    vectorised([&]() __attribute__((always_inline)) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t start = 0; start < C; start += group) {
          const In* from = in + row * C + start;
          Out* into = out + row * C + start;
          const float factor = inverse_rms(from, group, eps);
          if (turns) {
            turn_heads(from, w, turns + (row % L) * D, into, group, D, factor);
          } else {
#pragma omp simd
            for (int64_t c = 0; c < group; ++c) store(into[c], to_float(from[c]) * factor * w[c]);
          }
        }
      }
    });
  });
}

}  // namespace

at::Tensor qk_norm_plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& table, int64_t heads,
                         double eps, at::ScalarType type) {
  const auto [B, L, C] = dims<3>(x, "x");
  at::Tensor y = x.to(at::kFloat).view({B, L, -1, weight.size(0)});
  y = (y * at::rsqrt(y.square().mean(-1, /*keepdim=*/true) + eps) * weight).view({B, L, heads, C / heads});
  if (table.defined()) y = rope(y, table);  // [B, L, N, D]
  return y.to(type).transpose(1, 2);        // [B, N, L, D]
}

at::Tensor qk_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& table, int64_t heads, double eps,
                   at::ScalarType type) {
  const auto [B, L, C] = dims<3>(x, "x");
  require(heads > 0 && C % heads == 0, ErrorKind::shape, "x: ", C, " channels do not split into ", heads, " heads");
  require(weight.dim() == 1 && (weight.size(0) == C || weight.size(0) == C / heads), ErrorKind::shape,
          "qk norm: weight: expected [", C, "] or [", C / heads, "], found ", shape_text(weight.sizes()));
  if (table.defined()) require_shape(table, {L, C / heads / 2}, "rope table");
  const bool fused = x.is_cpu() && row_type(x.scalar_type()) && row_type(type) && no_gradient({x, weight});
  if (!fused) return qk_norm_plain(x, weight, table, heads, eps, type);
  at::Tensor y = at::empty({B, L, C}, x.options().dtype(type));
  const bool half_in = x.scalar_type() == at::kBFloat16, half_out = type == at::kBFloat16;
  const auto run = half_in ? (half_out ? norm_rows<c10::BFloat16, c10::BFloat16> : norm_rows<c10::BFloat16, float>)
                           : (half_out ? norm_rows<float, c10::BFloat16> : norm_rows<float, float>);
  run(x.contiguous(), weight, table.defined() ? table.contiguous() : table, y, static_cast<float>(eps));
  return y.view({B, L, heads, C / heads}).transpose(1, 2);  // [B, N, L, D]
}

}  // namespace keyflow::ops
