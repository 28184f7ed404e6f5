#include "models/sd/control_residuals.h"

#include <ATen/TensorOperators.h>

#include "core/shape.h"

namespace keyflow::sd {
namespace {

at::Tensor sum_of(const at::Tensor& a, const at::Tensor& b) {
  const bool whole = a.size(2) == 1 && a.size(3) == 1, other_whole = b.size(2) == 1 && b.size(3) == 1;
  if (!whole && !other_whole) require_shape(b, a.sizes(), "control residual");
  require_shape(b, {a.size(0), a.size(1), -1, -1}, "control residual");
  return a + b;
}

}  // namespace

void add(ControlResiduals& sum, const ControlResiduals& more) {
  if (sum.down.empty()) {
    sum = more;
    return;
  }
  require(sum.down.size() == more.down.size(), ErrorKind::shape, "control residuals: expected ", sum.down.size(),
          " as another ControlNet gives, found ", more.down.size());
  for (size_t i = 0; i < sum.down.size(); ++i) sum.down[i] = sum_of(sum.down[i], more.down[i]);
  sum.middle = sum_of(sum.middle, more.middle);
}

}  // namespace keyflow::sd
