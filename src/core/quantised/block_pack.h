#pragma once
#include <ATen/core/Tensor.h>

#include "core/quantised/blocks.h"

namespace keyflow {

/// Rounds numbers to the blocks of a GGUF format. Q4_0 to Q8_0 give the bytes that the gguf package gives; the K
/// formats search for the steps with the least weighted square error, as ggml's reference does, and give other bytes
/// than it.
///
/// values  any float, finite, at most 65504 in size; the number of values is a multiple of the block's
/// return  Blocks of the same shape (rank 0 becomes [1])
/// throws  Error::shape for a number of values that fills no whole blocks
/// source  ggml-org/llama.cpp gguf-py/gguf/quants.py (gguf 0.19.0); ggml-org/llama.cpp ggml/src/ggml-quants.c
Blocks pack(const at::Tensor& values, BlockFormat format);

/// The loop behind it, on one thread: `count` blocks.
void pack_blocks(BlockFormat format, const float* values, int64_t count, uint8_t* blocks);

/// The part of it for formats of 256 values a block.
void pack_k_blocks(BlockFormat format, const float* values, int64_t count, uint8_t* blocks);

/// float16 by its little-endian bytes.
void put_half(uint8_t* bytes, float value);

}  // namespace keyflow
