#pragma once
#include <c10/util/BFloat16.h>

#include <cstdint>

#include "core/quantised/block_format.h"

// The loops behind unpack(), on one thread.
namespace keyflow {

/// `count` blocks of a GGUF format to count * layout.values numbers.
void unpack_blocks(BlockFormat format, const uint8_t* blocks, int64_t count, float* out);
void unpack_blocks(BlockFormat format, const uint8_t* blocks, int64_t count, c10::BFloat16* out);

/// `count` 8-bit floats, each times `factor`.
void unpack_floats(BlockFormat format, const uint8_t* values, int64_t count, float factor, float* out);
void unpack_floats(BlockFormat format, const uint8_t* values, int64_t count, float factor, c10::BFloat16* out);

}  // namespace keyflow
