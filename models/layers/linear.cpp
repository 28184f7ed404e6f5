#include "models/layers/linear.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>

#include "ops/quantised_linear.h"

namespace keyflow::layers {

using weights::Init;
using weights::StoredWeight;

namespace {

/// [out, in] of a weight that may be a convolution's.
StoredWeight as_matrix(StoredWeight stored) {
  if (stored.plain.defined()) {
    stored.plain = stored.plain.flatten(1);
  } else {
    stored.blocks.shape = {stored.blocks.rows(), stored.blocks.row_values()};
  }
  return stored;
}

}  // namespace

Weight::Weight(at::Tensor stored, at::ScalarType compute) : stored_(std::move(stored)), compute_(compute) {
  const bool frozen = !stored_.requires_grad() && !stored_.is_meta();
  const auto stored_size = static_cast<size_t>(stored_.element_size());
  if (frozen && c10::elementSize(compute) <= stored_size) stored_ = stored_.to(compute);
}

Weight::Weight(StoredWeight stored, at::ScalarType compute)
    : Weight(stored.plain.defined() ? Weight(std::move(stored.plain), compute) : Weight()) {
  blocks_ = std::move(stored.blocks);
  compute_ = compute;
}

at::Tensor Weight::get() const {
  if (packed()) return unpack(blocks_, compute_);
  return stored_.scalar_type() == compute_ ? stored_ : stored_.to(compute_);
}

at::Tensor Weight::product(const at::Tensor& x, const at::Tensor& bias) const {
  if (packed()) return ops::quantised_linear(x, blocks_, bias, {.type = compute_});
  return at::linear(x, get(), bias);
}

at::Tensor Weight::rows(const at::Tensor& ids) const {
  if (packed()) return unpack_rows_at(blocks_, ids, compute_);
  return at::embedding(stored_, ids).to(compute_);
}

Linear::Linear(const weights::Scope& w, at::IntArrayRef shape, Bias bias, at::ScalarType compute)
    : branch_(w, shape.slice(0, 2), compute),
      weight_(as_matrix(w.weight("weight", shape, Init::fan_in, shape[1])), compute) {
  if (bias == Bias::yes) bias_ = Weight(w.tensor("bias", {shape[0]}, Init::fan_in, shape[1]), compute);
}

Linear::Linear(const weights::Scope& w, int64_t in, int64_t out, Bias bias)
    : Linear(w, {out, in}, bias, w.compute().linear) {}

Linear Linear::fp32(const weights::Scope& w, int64_t in, int64_t out, Bias bias) {
  return Linear(w, {out, in}, bias, at::kFloat);
}

Linear Linear::pointwise(const weights::Scope& w, int64_t in, int64_t out, Bias bias) {
  return Linear(w, {out, in, 1, 1}, bias, w.compute().linear);
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  const at::Tensor input = x.to(weight_.compute());
  at::Tensor y = weight_.product(input, bias_.defined() ? bias_.get() : at::Tensor());
  branch_.add_linear(input, y);
  return y;
}

}  // namespace keyflow::layers
