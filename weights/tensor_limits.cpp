#include "weights/tensor_limits.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow::weights {

std::string fault_of_name(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxNameBytes) return c10::str("has ", name.size(), " bytes; expected at most ", kMaxNameBytes);
  if (printable(name, name.size() + 1) != name) return "holds control characters or invalid UTF-8";
  return "";
}

std::optional<uint64_t> byte_size(at::IntArrayRef shape, size_t item_bytes) {
  bool empty = false;
  int64_t product = static_cast<int64_t>(item_bytes);
  for (const int64_t size : shape) {
    empty |= size == 0;
    if (__builtin_mul_overflow(product, std::max<int64_t>(size, 1), &product)) return std::nullopt;
  }
  return empty ? 0 : static_cast<uint64_t>(product);
}

std::string overflow_text(at::IntArrayRef shape, size_t item_bytes) {
  const auto magnitude = [](double power) { return c10::str("about 2^", std::round(power * 10) / 10); };
  double power = 0;
  for (const int64_t size : shape) power += std::log2(static_cast<double>(std::max<int64_t>(size, 1)));
  if (power >= 63)
    return c10::str("shape ", shape_text(shape), " overflows; expected a product below 2^63, found ", magnitude(power));
  return c10::str("shape ", shape_text(shape), " overflows; expected less than 2^63 bytes, found ",
                  magnitude(power + std::log2(static_cast<double>(item_bytes))));
}

}  // namespace keyflow::weights
