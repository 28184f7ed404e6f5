#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What a reader accepts of any file, so that no number in it decides how much work or memory it costs.
namespace keyflow::weights {

constexpr size_t kMaxTensors = 200'000;
constexpr size_t kMaxRank = 8;
constexpr size_t kMaxNameBytes = 4096;

/// Why `name` cannot be a tensor's name ("is empty", "holds control characters or invalid UTF-8", ...); "" if it can.
std::string fault_of_name(std::string_view name);

/// Bytes of a contiguous tensor. nullopt where the product of the sizes (zeros counted as ones, because strides are
/// made of it) or the bytes reach 2^63.
std::optional<uint64_t> byte_size(at::IntArrayRef shape, size_t item_bytes);

/// "shape [4294967296, 4294967296] overflows; expected a product below 2^63, found 2^64"
std::string overflow_text(at::IntArrayRef shape, size_t item_bytes);

}  // namespace keyflow::weights
