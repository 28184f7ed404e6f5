#include "weights/tensor_info.h"

#include "core/compute.h"

namespace keyflow::weights {

uint64_t TensorInfo::bytes() const {
  if (!packed()) return static_cast<uint64_t>(numel()) * c10::elementSize(dtype);
  const BlockLayout& layout = layout_of(format);
  return static_cast<uint64_t>(numel() / layout.values * layout.bytes);
}

std::string TensorInfo::type_name() const { return packed() ? std::string(layout_of(format).name) : dtype_name(dtype); }

}  // namespace keyflow::weights
