#pragma once
#include <ATen/core/Tensor.h>

#include "models/layers/adapter_branch.h"
#include "weights/scope.h"

namespace keyflow::layers {

enum class Bias { yes, no };

/// A weight in the type its kernel computes in. A frozen weight is converted once where that takes no more room than
/// the file's type (fp32 file, bf16 kernel); a wider kernel type is unpacked on each use, so that a bf16 checkpoint
/// stays mapped; a weight being trained is converted on each use, so that gradients reach it. Blocks stay packed and
/// are unpacked on each use, a band of rows at a time where they are multiplied.
class Weight {
 public:
  Weight() = default;
  Weight(at::Tensor stored, at::ScalarType compute);
  Weight(weights::StoredWeight stored, at::ScalarType compute);
  /// As plain numbers, whole.
  at::Tensor get() const;
  /// Of a matrix [out, in]: x Wᵀ + bias. x [..., in] and bias [out] (or undefined) in compute(); return [..., out]
  at::Tensor product(const at::Tensor& x, const at::Tensor& bias) const;
  /// Of a table [V, C]: the rows `ids`, any int64 below V. return [..., C] in compute()
  at::Tensor rows(const at::Tensor& ids) const;
  bool defined() const { return stored_.defined() || packed(); }
  bool packed() const { return blocks_.defined(); }
  /// True for a frozen weight that get() gives without converting.
  bool ready() const {
    return stored_.defined() && !stored_.is_meta() && !stored_.requires_grad() && stored_.scalar_type() == compute_;
  }
  at::ScalarType compute() const { return compute_; }

 private:
  at::Tensor stored_;
  Blocks blocks_;  // in place of stored_
  at::ScalarType compute_ = at::kFloat;
};

/// y = x Wᵀ + b, in compute().linear, and what LoRA files add. Weights "weight" [out, in] and "bias" [out].
class Linear {
 public:
  Linear(const weights::Scope& w, int64_t in, int64_t out, Bias bias = Bias::yes);
  /// As above, but in float32 whatever compute() says (time embeddings, modulation, heads).
  static Linear fp32(const weights::Scope& w, int64_t in, int64_t out, Bias bias = Bias::yes);

  /// A 1×1 convolution over channels that lie last, "weight" [out, in, 1, 1].
  static Linear pointwise(const weights::Scope& w, int64_t in, int64_t out, Bias bias = Bias::yes);

  /// x [..., in], any float; return [..., out] in the layer's compute type
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Linear(const weights::Scope& w, at::IntArrayRef shape, Bias bias, at::ScalarType compute);
  AdapterBranch branch_;  // claims before the weight is asked for
  Weight weight_, bias_;
};

}  // namespace keyflow::layers
