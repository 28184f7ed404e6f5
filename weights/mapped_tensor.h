#pragma once
#include <ATen/core/Tensor.h>

#include <memory>

#include "core/files.h"

namespace keyflow::weights {

/// A contiguous tensor over bytes of a mapped file, which lives as long as the tensor. Copied only if the bytes are not
/// aligned to the item size or the strides (in items; empty: contiguous) are not those of a contiguous tensor. The
/// caller has checked that every element lies inside the file.
at::Tensor mapped_tensor(const std::shared_ptr<MappedFile>& file, uint64_t offset, at::ScalarType dtype,
                         at::IntArrayRef shape, at::IntArrayRef strides = {});

}  // namespace keyflow::weights
