#pragma once
#include <ATen/core/Tensor.h>

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/compute.h"
#include "core/quantised/blocks.h"

namespace keyflow::weights {

/// How a fresh weight is drawn when a model is made to be trained; a checkpoint ignores it.
enum class Init {
  fan_in,  ///< uniform within 1/sqrt(fan in), as torch's Linear and Conv layers do, biases too
  zeros,
  ones,
  normal_02,  ///< normal with standard deviation 0.02 (embeddings, modulation tables)
};

struct Adapter;

/// A weight as its source keeps it: plain numbers, or blocks to be unpacked on use. One of the two is defined.
struct StoredWeight {
  at::Tensor plain;
  Blocks blocks = {};
};

/// Where tensors come from: a checkpoint, a plan that only records, or fresh random values.
class Source {
 public:
  virtual ~Source() = default;
  /// The tensor called `name`, of exactly this shape. `fan_in` is the number of inputs of one output (for
  /// Init::fan_in).
  virtual at::Tensor get(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) = 0;
  /// What LoRA files add to `name`, for a layer that computes it beside its own product; from then on `get` gives the
  /// weight without it. Where no layer asks, `get` adds it. Null for nothing.
  virtual std::shared_ptr<const std::vector<Adapter>> claim_adapters(const std::string& /*name*/) { return nullptr; }
  /// The same for a layer that can work on blocks.
  virtual StoredWeight get_weight(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) {
    return {get(name, shape, init, fan_in)};
  }
};

/// A cursor into a source: a prefix, to be extended by `/`, and the arithmetic types the model shall use. The name of a
/// weight is written once, where its layer is constructed:
///   q(w / "q", dim, dim)   modulation(w.tensor("modulation", {1, 6, dim}, Init::normal_02))
class Scope {
 public:
  Scope(Source& source, const Compute& compute, std::string prefix = "")
      : source_(&source), compute_(compute), prefix_(std::move(prefix)) {}

  Scope operator/(std::string_view part) const {
    return {*source_, compute_, prefix_.empty() ? std::string(part) : prefix_ + "." + std::string(part)};
  }
  Scope operator/(std::integral auto index) const { return *this / std::to_string(index); }

  at::Tensor tensor(std::string_view name, at::IntArrayRef shape, Init init = Init::zeros, int64_t fan_in = 0) const {
    return source_->get((*this / name).prefix_, shape, init, fan_in);
  }
  /// To be called before `tensor` of the same name.
  std::shared_ptr<const std::vector<Adapter>> claim_adapters(std::string_view name) const {
    return source_->claim_adapters((*this / name).prefix_);
  }
  /// A matrix that stays packed where the source has it so.
  StoredWeight weight(std::string_view name, at::IntArrayRef shape, Init init = Init::zeros, int64_t fan_in = 0) const {
    return source_->get_weight((*this / name).prefix_, shape, init, fan_in);
  }
  const Compute& compute() const { return compute_; }
  const std::string& prefix() const { return prefix_; }

 private:
  Source* source_;
  Compute compute_;
  std::string prefix_;
};

}  // namespace keyflow::weights
