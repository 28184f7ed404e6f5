#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <string>

#include "core/error.h"

// Legend of the shape comments: B batch, C channels, T frames, H W height and width (pixels or latent, the
// docstring says which), L tokens, N heads, D head size, E text width, P patch, S steps.
namespace keyflow {

/// "[1, 16, 5, 8, 8]"
std::string shape_text(at::IntArrayRef shape);

/// The sizes of `x` as an array to be bound by name; throws Error::shape when the rank differs.
template <size_t Rank>
std::array<int64_t, Rank> dims(const at::Tensor& x, const char* name) {
  require(x.dim() == static_cast<int64_t>(Rank), ErrorKind::shape, name, ": expected ", Rank, " dimensions, found ",
          shape_text(x.sizes()));
  std::array<int64_t, Rank> sizes{};
  for (size_t i = 0; i < Rank; ++i) sizes[i] = x.size(static_cast<int64_t>(i));
  return sizes;
}

/// Throws Error::shape unless `x` has exactly these sizes; -1 stands for any.
void require_shape(const at::Tensor& x, at::IntArrayRef expected, const char* name);

}  // namespace keyflow
