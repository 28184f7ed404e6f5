#include "weights/adapter.h"

#include <ATen/ops/matmul.h>
#include <ATen/ops/norm.h>

#include <algorithm>

namespace keyflow::weights {
namespace {

Product rows_of(const Product& product, int64_t begin, int64_t count) {
  return {product.up.narrow(0, begin, count), product.down};
}

at::Tensor kronecker(const at::Tensor& left, const Product& right, int64_t in) {
  const int64_t a = left.size(0), b = left.size(1), c = right.rows(), d = in / b, k = right.columns() / d;
  const at::Tensor product = left.to(at::kFloat).view({a, 1, b, 1, 1}) * right.matrix().view({1, c, 1, d, k});
  return product.reshape({a * c, b * d * k});
}

/// Lengths of columns are a row, [1, in, 1...]; those of rows stand alone or below each other.
bool of_rows(const at::Tensor& magnitude) {
  return magnitude.dim() == 1 || magnitude.size(0) != 1 || magnitude.numel() == 1;
}

/// W + ΔW with the lengths that training gave its rows or columns.
at::Tensor with_magnitude(const at::Tensor& changed, const at::Tensor& magnitude) {
  const at::Tensor lengths = magnitude.to(at::kFloat);
  if (of_rows(lengths)) {
    const at::Tensor matrix = changed.flatten(1);
    return (matrix * (lengths.view({-1, 1}) / matrix.norm(2, {1}, /*keepdim=*/true))).view(changed.sizes());
  }
  std::vector<int64_t> others{0}, along(static_cast<size_t>(changed.dim()), 1);
  for (int64_t i = 2; i < changed.dim(); ++i) others.push_back(i);
  along[1] = changed.size(1);
  return changed * (lengths.view(along) / changed.norm(2, others, /*keepdim=*/true));
}

}  // namespace

int64_t Product::columns() const {
  const at::Tensor& last = down.defined() ? down : up;
  return last.numel() / last.size(0);
}

at::Tensor Product::matrix() const {
  const at::Tensor left = up.to(at::kFloat);
  return down.defined() ? left.matmul(down.to(at::kFloat).flatten(1)) : left.reshape({rows(), -1});
}

bool Adapter::scales_columns() const { return magnitude.defined() && !of_rows(magnitude); }

int64_t Adapter::out() const {
  if (!is_kronecker()) return first.rows();
  return rows > 0 ? rows : left.size(0) * first.rows();
}

int64_t Adapter::columns() const { return is_kronecker() ? left.size(1) * first.columns() : first.columns(); }

Adapter rows_of(const Adapter& adapter, int64_t begin, int64_t count) {
  Adapter part = adapter;
  if (adapter.magnitude.defined() && !adapter.scales_columns()) {
    part.magnitude = adapter.magnitude.flatten().narrow(0, begin, count);
  }
  if (adapter.is_kronecker()) {
    // Whole blocks of the product that hold the rows, and where in them the rows begin.
    const int64_t block = adapter.first.rows(), start = adapter.first_row + begin;
    const int64_t from = start / block, to = (start + count + block - 1) / block;
    part.left = adapter.left.narrow(0, from, to - from);
    part.first_row = start - from * block;
    part.rows = count;
    return part;
  }
  part.first = rows_of(adapter.first, begin, count);
  if (adapter.is_hadamard()) part.second = rows_of(adapter.second, begin, count);
  return part;
}

at::Tensor delta(const Adapter& adapter, at::IntArrayRef shape) {
  at::Tensor matrix;
  if (adapter.is_kronecker()) {
    matrix = kronecker(adapter.left, adapter.first, shape[1]);
    if (adapter.rows > 0) matrix = matrix.narrow(0, adapter.first_row, adapter.rows);
  } else {
    matrix = adapter.first.matrix();
    if (adapter.is_hadamard()) matrix = matrix * adapter.second.matrix();
  }
  return (matrix * adapter.scale).reshape(shape);
}

at::Tensor merged(const at::Tensor& weight, const Adapters& adapters) {
  at::Tensor sum = weight.to(at::kFloat);
  for (const auto& adapter : adapters) {
    const at::Tensor change = delta(adapter, weight.sizes()).to(weight.device());
    if (!adapter.magnitude.defined()) {
      sum = sum + change;
      continue;
    }
    const at::Tensor base = weight.to(at::kFloat);
    sum = sum + adapter.strength * (with_magnitude(base + change, adapter.magnitude.to(weight.device())) - base);
  }
  return sum;
}

}  // namespace keyflow::weights
