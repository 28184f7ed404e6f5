#include "weights/mapped_tensor.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/from_blob.h>

#include <cstring>

namespace keyflow::weights {

at::Tensor mapped_tensor(const std::shared_ptr<MappedFile>& file, uint64_t offset, at::ScalarType dtype,
                         at::IntArrayRef shape, at::IntArrayRef strides) {
  const auto options = at::TensorOptions().dtype(dtype);
  for (const int64_t size : shape) {
    if (size == 0) return at::empty(shape, options);
  }
  uint8_t* data = file->data() + offset;
  const size_t item_bytes = c10::elementSize(dtype);
  const auto keep_mapped = [file](void*) {};
  const bool aligned = reinterpret_cast<uintptr_t>(data) % item_bytes == 0;
  if (strides.empty()) {
    if (aligned) return at::from_blob(data, shape, keep_mapped, options);
    at::Tensor copy = at::empty(shape, options);
    std::memcpy(copy.data_ptr(), data, copy.nbytes());
    return copy;
  }
  if (aligned) return at::from_blob(data, shape, strides, keep_mapped, options).contiguous();
  at::Tensor copy = at::empty_strided(shape, strides, options);
  int64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) last += (shape[i] - 1) * strides[i];
  std::memcpy(copy.data_ptr(), data, (static_cast<size_t>(last) + 1) * item_bytes);
  return copy.contiguous();
}

}  // namespace keyflow::weights
