#include "ops/group_norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>

#include "core/shape.h"
#include "ops/vectorised.h"

namespace keyflow::ops {
namespace {

/// A batch item's rows are cut into a fixed number of parts, so that sums do not depend on the number of threads;
/// inside a part the float32 sums of a block of rows go to double.
constexpr int64_t kParts = 32, kBlockRows = 64;

/// Adds the deviations of some rows from `pivot`, and their squares. A pivot among the values keeps the sums small
/// where the mean is large.
template <int rows, class T>
KEYFLOW_INLINE void add_rows(const T* __restrict x, const float* __restrict pivot, float* __restrict sum,
                             float* __restrict squares, int64_t C) {
#pragma omp simd
  for (int64_t c = 0; c < C; ++c) {
    float all = 0, all_squares = 0;
    for (int row = 0; row < rows; ++row) {
      const float d = to_float(x[row * C + c]) - pivot[c];
      all += d;
      all_squares += d * d;
    }
    sum[c] += all;
    squares[c] += all_squares;
  }
}

KEYFLOW_INLINE void flush(float* __restrict block, double* __restrict total, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    total[i] += block[i];
    block[i] = 0;
  }
}

/// rows of one batch item -> totals [2, C], sums and squares of the deviations from `pivot`
template <class T>
void sum_rows(const T* x, const float* pivot, double* totals, int64_t begin, int64_t end, int64_t C) {
  std::vector<float> block(static_cast<size_t>(2 * C));
  float* sums = block.data();
  vectorised([&]() __attribute__((always_inline)) {
    for (int64_t start = begin; start < end; start += kBlockRows) {
      const int64_t stop = std::min(end, start + kBlockRows);
      int64_t row = start;
      for (; row + 4 <= stop; row += 4) add_rows<4>(x + row * C, pivot, sums, sums + C, C);
      for (; row < stop; ++row) add_rows<1>(x + row * C, pivot, sums, sums + C, C);
      flush(sums, totals, 2 * C);
    }
  });
}

/// x channels last -> [B, 2, C] double: of the deviations from `pivot` [B, C], the sums and the sums of squares
template <class T>
at::Tensor pivot_sums(const at::Tensor& x, const at::Tensor& pivot) {
  const int64_t B = x.size(0), C = x.size(1), rows = x.numel() / (B * C), part_rows = (rows + kParts - 1) / kParts;
  at::Tensor parts = at::zeros({B, kParts, 2, C}, at::kDouble);
  const T* in = x.const_data_ptr<T>();
  const float* pivots = pivot.const_data_ptr<float>();
  double* totals = parts.mutable_data_ptr<double>();
  at::parallel_for(0, B * kParts, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t b = i / kParts, begin = i % kParts * part_rows, end = std::min(rows, begin + part_rows);
      sum_rows(in + b * rows * C, pivots + b * C, totals + i * 2 * C, begin, end, C);
    }
  });
  return parts.sum(1);
}

// A function of its own with values for parameters: what a lambda holds by reference keeps the compiler from
// vectorising.
template <class In, class Out, bool silu>
KEYFLOW_INLINE void scale_row(const In* __restrict x, const float* __restrict gain, const float* __restrict offset,
                              Out* __restrict y, int64_t C) {
#pragma omp simd
  for (int64_t c = 0; c < C; ++c) {
    const float u = to_float(x[c]) * gain[c] + offset[c];
    store(y[c], silu ? u * sigmoid(u) : u);
  }
}

template <class In, class Out, bool silu>
void scale_rows(const at::Tensor& x, const ChannelScale& scale, at::Tensor& y) {
  const int64_t C = x.size(1), rows = x.numel() / C, item_rows = rows / x.size(0);
  const In* in = x.const_data_ptr<In>();
  const float *gain = scale.gain.const_data_ptr<float>(), *offset = scale.offset.const_data_ptr<float>();
  Out* out = y.mutable_data_ptr<Out>();
  at::parallel_for(0, rows, std::max<int64_t>(1, 16384 / C), [&](int64_t begin, int64_t end) {
    vectorised([&]() __attribute__((always_inline)) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t item = row / item_rows * C;
        scale_row<In, Out, silu>(in + row * C, gain + item, offset + item, out + row * C, C);
      }
    });
  });
}

template <class In>
void run_rows(const at::Tensor& x, const ChannelScale& scale, at::Tensor& y, bool silu) {
  const bool half = y.scalar_type() == at::kBFloat16;
  const auto run = half ? (silu ? scale_rows<In, c10::BFloat16, true> : scale_rows<In, c10::BFloat16, false>)
                        : (silu ? scale_rows<In, float, true> : scale_rows<In, float, false>);
  run(x, scale, y);
}

bool fits(const at::Tensor& x) {
  return x.is_cpu() && row_type(x.scalar_type()) && (x.dim() == 4 || x.dim() == 5) && x.numel() > 0;
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(x.dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast);
}

void require_groups(int64_t channels, int64_t groups) {
  require(groups >= 1 && channels % groups == 0, ErrorKind::shape, "group norm: ", channels,
          " channels cannot be cut into ", groups, " groups");
}

at::Tensor per_channel(const at::Tensor& values, int64_t rank) {
  std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
  shape[0] = values.size(0), shape[1] = values.size(1);
  return values.view(shape);
}

}  // namespace

void ChannelMoments::add(const at::Tensor& piece) {
  require(piece.dim() >= 3 && piece.numel() > 0, ErrorKind::shape,
          "group norm: expected [B, C, ...] with values, found ", shape_text(piece.sizes()));
  const int64_t B = piece.size(0), C = piece.size(1), count = piece.numel() / (B * C);
  if (count_ > 0) require_shape(mean_, {B, C}, "mean of the pieces before");
  at::Tensor mean, deviations;  // [B, C] double
  if (fits(piece)) {
    const at::Tensor x = channels_last(piece);
    const at::Tensor pivot = x.flatten(2).select(2, 0).to(at::kFloat).contiguous();  // [B, C]
    const at::Tensor sums =
        x.scalar_type() == at::kFloat ? pivot_sums<float>(x, pivot) : pivot_sums<c10::BFloat16>(x, pivot);  // [B, 2, C]
    const at::Tensor sum = sums.select(1, 0);
    mean = pivot + sum / count;
    deviations = sums.select(1, 1) - sum.square() / count;
  } else {
    const at::Tensor values = piece.flatten(2).to(at::kDouble);
    mean = values.mean(2);
    deviations = (values - mean.unsqueeze(2)).square().sum(2);
  }
  // Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances (1979), eq. 2.1
  if (count_ == 0) {
    mean_ = mean, deviations_ = deviations;
  } else {
    const double share = static_cast<double>(count) / static_cast<double>(count_ + count);
    const at::Tensor apart = mean - mean_;
    deviations_ = deviations_ + deviations + apart.square() * (static_cast<double>(count_) * share);
    mean_ = mean_ + apart * share;
  }
  count_ += count;
}

ChannelScale ChannelMoments::scale(int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                                   const at::Tensor& shift) const {
  require(count_ > 0, ErrorKind::shape, "group norm: no values to normalise");
  const int64_t B = mean_.size(0), C = mean_.size(1);
  require_groups(C, groups);
  require_shape(weight, {C}, "weight"), require_shape(bias, {C}, "bias");
  if (shift.defined()) require_shape(shift, {B, C}, "shift");
  const at::Tensor shifted = shift.defined() ? mean_ + shift : mean_;
  const at::Tensor means = shifted.view({B, groups, -1}), deviations = deviations_.view({B, groups, -1});
  const at::Tensor mean = means.mean(2, /*keepdim=*/true);  // [B, groups, 1]
  const at::Tensor variance = deviations.mean(2, true) / count_ + (means - mean).square().mean(2, true);
  const at::Tensor inverse = at::rsqrt(variance + eps);
  const at::Tensor gain = (inverse * weight.view({1, groups, -1})).view({B, C});
  at::Tensor offset = bias - (mean * gain.view({B, groups, -1})).view({B, C});
  if (shift.defined()) offset = offset + shift * gain;
  return {gain.to(at::kFloat), offset.to(at::kFloat)};
}

at::Tensor scale_channels(const at::Tensor& x, const ChannelScale& scale, AfterNorm after,
                          std::optional<at::ScalarType> type) {
  require_shape(scale.gain, {x.size(0), x.size(1)}, "gain");
  const bool silu = after == AfterNorm::silu;
  const at::ScalarType out = type.value_or(x.scalar_type());
  if (!fits(x) || !row_type(out) || !no_gradient({x, scale.gain, scale.offset})) {
    const at::Tensor y = x.to(at::kFloat) * per_channel(scale.gain, x.dim()) + per_channel(scale.offset, x.dim());
    return (silu ? at::silu(y) : y).to(out);
  }
  const at::Tensor rows = channels_last(x);
  at::Tensor y = at::empty_like(rows, rows.options().dtype(out));
  if (x.scalar_type() == at::kFloat) {
    run_rows<float>(rows, scale, y, silu);
  } else {
    run_rows<c10::BFloat16>(rows, scale, y, silu);
  }
  return y;
}

at::Tensor group_norm_plain(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                            double eps, AfterNorm after, const GroupNormExtras& extras) {
  require_groups(x.size(1), groups);
  at::Tensor y = x.to(at::kFloat);
  if (extras.shift.defined()) y = y + per_channel(extras.shift, x.dim());
  y = at::group_norm(y, groups, weight, bias, eps);
  return (after == AfterNorm::silu ? at::silu(y) : y).to(extras.type.value_or(x.scalar_type()));
}

at::Tensor group_norm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                      AfterNorm after, const GroupNormExtras& extras) {
  require(x.dim() >= 3, ErrorKind::shape, "group norm: expected [B, C, ...], found ", shape_text(x.sizes()));
  if (extras.shift.defined()) require_shape(extras.shift, {x.size(0), x.size(1)}, "shift");
  if (!fits(x) || !no_gradient({x, weight, bias, extras.shift})) {
    return group_norm_plain(x, groups, weight, bias, eps, after, extras);
  }
  const at::Tensor rows = channels_last(x);
  ChannelMoments moments;
  moments.add(rows);
  return scale_channels(rows, moments.scale(groups, weight, bias, eps, extras.shift), after, extras.type);
}

}  // namespace keyflow::ops
