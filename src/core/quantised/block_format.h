#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace keyflow {

/// How numbers are packed in blocks: GGUF's formats, and 8-bit floats, whose blocks are single values.
enum class BlockFormat : uint8_t { none, q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, f8_e4m3, f8_e5m2 };

struct BlockLayout {
  BlockFormat format = BlockFormat::none;
  std::string_view name;  ///< "q4_k"
  int64_t values = 1;     ///< of a block
  int64_t bytes = 1;      ///< of a block
};

/// Of any format but none.
const BlockLayout& layout_of(BlockFormat format);

/// The formats of GGUF, in order of size.
const std::vector<BlockLayout>& gguf_layouts();

/// "q8_0" and the like; nothing for another name.
std::optional<BlockFormat> block_format_from_name(std::string_view name);

/// The format of a tensor of 8-bit floats; none for every other type.
BlockFormat block_format_of(at::ScalarType type);

}  // namespace keyflow
