#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>

#include "weights/adapter.h"
#include "weights/scope.h"

namespace keyflow::weights {

/// How LoRA files are applied.
enum class LoraMode {
  beside,  ///< layers add it to their products; weights stay where they lie, mapped or quantised
  merged,  ///< added to the weights as they are read: those become copies, and a step costs what it did without
};

/// What LoRA files change in one network, by the model's weight names. Copies share; an empty one changes nothing.
class Overlay {
 public:
  Overlay() = default;
  explicit Overlay(LoraMode mode) : mode_(mode) {}

  void add(const std::string& name, Adapter adapter) { adapters_[name].push_back(std::move(adapter)); }
  /// nullptr for none
  const Adapters* find(const std::string& name) const;
  bool empty() const { return adapters_.empty(); }
  const std::map<std::string, Adapters>& adapters() const { return adapters_; }
  LoraMode mode() const { return mode_; }

 private:
  std::map<std::string, Adapters> adapters_;
  LoraMode mode_ = LoraMode::beside;
};

/// Another source's tensors with an overlay: claimed by the layer, or added (in float32) where no layer claims it. What
/// DoRA scales is never claimed, for it changes the layer's product itself. Both arguments must outlive it.
class OverlaySource final : public Source {
 public:
  OverlaySource(Source& source, const Overlay& overlay) : source_(source), overlay_(overlay) {}
  at::Tensor get(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) override;
  StoredWeight get_weight(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) override;
  std::shared_ptr<const Adapters> claim_adapters(const std::string& name) override;

 private:
  Source& source_;
  const Overlay& overlay_;
  std::set<std::string> claimed_;
};

}  // namespace keyflow::weights
