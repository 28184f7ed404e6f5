#include "core/shape.h"

namespace keyflow {

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

void require_shape(const at::Tensor& x, at::IntArrayRef expected, const char* name) {
  bool same = x.dim() == static_cast<int64_t>(expected.size());
  for (size_t i = 0; same && i < expected.size(); ++i) {
    same = expected[i] < 0 || x.size(static_cast<int64_t>(i)) == expected[i];
  }
  require(same, ErrorKind::shape, name, ": expected ", shape_text(expected), ", found ", shape_text(x.sizes()));
}

}  // namespace keyflow
