#include "models/layers/adapter_branch.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>

#include "weights/adapter.h"

namespace keyflow::layers {
namespace {

using weights::Adapter;
using weights::Product;

constexpr int64_t kBandEntries = 4 << 20;  // of a Hadamard product's matrix, made for one call

/// A layer's product with another matrix in place of its weight: rows [R, in, k...].
class Layer {
 public:
  Layer() = default;
  Layer(int64_t stride, int64_t padding) : convolution_(true), stride_(stride), padding_(padding) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& rows) const {
    return convolution_ ? at::conv2d(x, rows, {}, stride_, padding_) : at::linear(x, rows);
  }
  /// `rows` [R, r] over the channels that a product left.
  at::Tensor mix(const at::Tensor& x, const at::Tensor& rows) const {
    return convolution_ ? at::conv2d(x, rows.view({rows.size(0), rows.size(1), 1, 1})) : at::linear(x, rows);
  }
  at::Tensor apply(const at::Tensor& x, const Product& product) const {
    return product.down.defined() ? mix((*this)(x, product.down), product.up) : (*this)(x, product.up);
  }
  int64_t channel_dim(const at::Tensor& x) const { return convolution_ ? 1 : x.dim() - 1; }

  /// kron(left, right) x: the channels of x are b groups, which `right` maps one by one and `left` mixes.
  at::Tensor apply_kronecker(const at::Tensor& x, const Adapter& adapter) const {
    const at::Tensor& left = adapter.left;
    const int64_t a = left.size(0), b = left.size(1);
    at::Tensor y;
    if (convolution_) {
      const at::Tensor z = apply(x.reshape({x.size(0) * b, -1, x.size(2), x.size(3)}), adapter.first);
      y = at::matmul(left, z.reshape({x.size(0), b, -1})).view({x.size(0), a * z.size(1), z.size(2), z.size(3)});
    } else {
      auto sizes = x.sizes().vec();
      sizes.back() = -1;
      y = at::matmul(left, apply(x.unflatten(-1, {b, -1}), adapter.first)).reshape(sizes);
    }
    return adapter.rows > 0 ? y.narrow(channel_dim(y), adapter.first_row, adapter.rows) : y;
  }

 private:
  bool convolution_ = false;
  int64_t stride_ = 1, padding_ = 0;
};

/// Row i of a Hadamard product of ranks r and s is that of the low rank r·s whose factors are all pairs' products.
Product all_pairs(const Product& first, const Product& second) {
  auto shape = first.down.sizes().vec();
  shape[0] *= second.down.size(0);
  return {(first.up.unsqueeze(2) * second.up.unsqueeze(1)).flatten(1),
          (first.down.unsqueeze(1) * second.down.unsqueeze(0)).reshape(shape)};
}

/// `product` as the layer computes it: down [r, in, k...], the scale in `up`.
Product prepared(const Product& product, double scale, int64_t columns, at::IntArrayRef kernel,
                 const at::TensorOptions& options) {
  const auto rows_shape = [&](int64_t rows) {
    std::vector<int64_t> shape{rows, columns};
    for (const auto size : kernel) {
      shape.push_back(size);
      shape[1] /= size;
    }
    return shape;
  };
  const at::Tensor up = (product.up.to(at::kFloat) * scale).to(options).contiguous();
  if (!product.down.defined()) return {up.reshape(rows_shape(up.size(0))), {}};
  return {up.flatten(1), product.down.to(options).reshape(rows_shape(product.down.size(0))).contiguous()};
}

}  // namespace

struct AdapterBranch::Parts {
  Product low_rank;               // of all files together; `up` undefined for none
  std::vector<Product> full;      // without `down`
  std::vector<Adapter> hadamard;  // of a rank too high to write out
  std::vector<Adapter> kronecker;
  at::ScalarType type;

  void add_to(at::Tensor& y, const at::Tensor& x, const Layer& layer) const {
    if (low_rank.up.defined()) y.add_(layer.apply(x, low_rank));
    for (const auto& product : full) y.add_(layer.apply(x, product));
    for (const auto& adapter : kronecker) y.add_(layer.apply_kronecker(x, adapter));
    for (const auto& adapter : hadamard) add_bands(y, x, adapter, layer);
  }

  void add_bands(at::Tensor& y, const at::Tensor& x, const Adapter& adapter, const Layer& layer) const {
    const int64_t out = adapter.out(), band = std::max<int64_t>(1, kBandEntries / adapter.columns());
    auto shape = adapter.first.down.sizes().vec();
    for (int64_t begin = 0; begin < out; begin += band) {
      shape[0] = std::min(band, out - begin);
      const at::Tensor rows = weights::delta(weights::rows_of(adapter, begin, shape[0]), shape).to(type);
      y.narrow(layer.channel_dim(y), begin, shape[0]).add_(layer(x, rows));
    }
  }
};

AdapterBranch::AdapterBranch(const weights::Scope& w, at::IntArrayRef shape, at::ScalarType compute) {
  const auto adapters = w.claim_adapters("weight");
  if (!adapters) return;
  const at::IntArrayRef kernel = shape.slice(2);
  const int64_t out = shape[0], columns = c10::multiply_integers(shape) / out;
  const auto on_device = at::TensorOptions().device(w.compute().device), options = on_device.dtype(compute);
  auto parts = std::make_shared<Parts>();
  parts->type = compute;
  std::vector<at::Tensor> ups, downs;
  const auto join = [&](const Product& product, double scale) {
    const Product ready = prepared(product, scale, columns, kernel, options);
    ups.push_back(ready.up);
    downs.push_back(ready.down);
  };
  for (const auto& adapter : *adapters) {
    if (adapter.is_kronecker()) {
      Adapter ready = adapter;
      ready.left = adapter.left.to(options).contiguous();
      ready.first = prepared(adapter.first, adapter.scale, columns / adapter.left.size(1), kernel, options);
      parts->kronecker.push_back(ready);
    } else if (adapter.is_hadamard()) {
      const int64_t rank = adapter.first.down.size(0) * adapter.second.down.size(0);
      const auto wide = on_device.dtype(at::kFloat);
      const Product first = prepared(adapter.first, adapter.scale, columns, kernel, wide);
      const Product second = prepared(adapter.second, 1, columns, kernel, wide);
      if (rank * (out + columns) <= out * columns) {
        join(all_pairs(first, second), 1);
      } else {
        Adapter ready = adapter;
        ready.first = first;
        ready.second = second;
        ready.scale = 1;
        parts->hadamard.push_back(ready);
      }
    } else if (adapter.first.down.defined()) {
      join(adapter.first, adapter.scale);
    } else {
      parts->full.push_back(prepared(adapter.first, adapter.scale, columns, kernel, options));
    }
  }
  if (!ups.empty()) parts->low_rank = {at::cat(ups, 1), at::cat(downs, 0)};
  parts_ = parts;
}

void AdapterBranch::add_linear(const at::Tensor& x, at::Tensor& y) const {
  if (parts_) parts_->add_to(y, x, Layer());
}

void AdapterBranch::add_conv2d(const at::Tensor& x, at::Tensor& y, int64_t stride, int64_t padding) const {
  if (parts_) parts_->add_to(y, x, Layer(stride, padding));
}

}  // namespace keyflow::layers
