#include "weights/overlay.h"

#include <algorithm>

namespace keyflow::weights {

const Adapters* Overlay::find(const std::string& name) const {
  const auto found = adapters_.find(name);
  return found == adapters_.end() ? nullptr : &found->second;
}

at::Tensor OverlaySource::get(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) {
  at::Tensor weight = source_.get(name, shape, init, fan_in);
  const Adapters* adapters = overlay_.find(name);
  if (adapters == nullptr || claimed_.count(name) > 0 || weight.is_meta()) return weight;
  const at::Tensor sum = merged(weight, *adapters);
  // Merged matrices of a half-precision file would take twice its room in float32.
  return overlay_.mode() == LoraMode::merged && weight.dim() > 1 ? sum.to(weight.scalar_type()) : sum;
}

StoredWeight OverlaySource::get_weight(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) {
  const bool is_left = overlay_.find(name) == nullptr || claimed_.count(name) > 0;
  return is_left ? source_.get_weight(name, shape, init, fan_in) : StoredWeight{get(name, shape, init, fan_in)};
}

std::shared_ptr<const Adapters> OverlaySource::claim_adapters(const std::string& name) {
  const Adapters* adapters = overlay_.find(name);
  if (adapters == nullptr || overlay_.mode() == LoraMode::merged) return nullptr;
  const auto scaled = [](const Adapter& adapter) { return adapter.magnitude.defined(); };
  if (std::any_of(adapters->begin(), adapters->end(), scaled)) return nullptr;
  claimed_.insert(name);
  return std::make_shared<const Adapters>(*adapters);
}

}  // namespace keyflow::weights
