#include "pipeline/finite.h"

namespace keyflow::pipeline {

bool all_finite(const at::Tensor& x) {
  // A sum is not finite when any term is not; it may also overflow by itself, which only the slow form can tell.
  if (std::isfinite(x.sum(at::kDouble).item<double>())) return true;
  return x.isfinite().all().item<bool>();
}

void require_finite(const at::Tensor& x, const std::string& stage) {
  if (!all_finite(x)) throw NotFinite(stage);
}

}  // namespace keyflow::pipeline
