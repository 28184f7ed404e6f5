#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/quantised/block_format.h"

namespace keyflow::weights {

/// A tensor type of GGUF.
/// source ggml-org/llama.cpp gguf-py/gguf/constants.py GGMLQuantizationType (gguf 0.19.0)
struct GgufType {
  uint32_t number = 0;
  std::string_view name;
  at::ScalarType dtype = at::kFloat;       ///< of plain numbers; float32 for blocks
  BlockFormat format = BlockFormat::none;  ///< of blocks
  bool readable = true;                    ///< false for block formats that keyflow does not unpack
};

/// nullptr for a number that stands for nothing.
const GgufType* gguf_type(uint32_t number);
/// The type for plain numbers or, where `format` is one of GGUF's, for blocks; nullptr where GGUF has none.
const GgufType* gguf_type(at::ScalarType dtype, BlockFormat format);

/// Value types of the metadata.
enum class GgufValue : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

/// Bytes of a value of fixed size; 0 for text, arrays and unknown numbers.
uint64_t value_bytes(uint32_t type);

constexpr uint64_t kGgufAlignment = 32;  // where general.alignment is absent
/// Before the name of a tensor: its shape in torch's order, for tensors that were flattened to be cut into blocks.
/// source city96/ComfyUI-GGUF tools/convert.py
constexpr std::string_view kShapeKey = "comfy.gguf.orig_shape.";
/// Before the key of a text that a safetensors file carries as __metadata__; keyflow's own.
constexpr std::string_view kMetadataKey = "keyflow.metadata.";
constexpr std::string_view kArchitectureKey = "general.architecture";

}  // namespace keyflow::weights
