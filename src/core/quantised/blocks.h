#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "core/quantised/block_format.h"

namespace keyflow {

/// A tensor that lies packed in memory. Its values, last dimension fastest, are cut into blocks without regard to the
/// rows: a block may end in another row than it began.
struct Blocks {
  BlockFormat format = BlockFormat::none;
  at::Tensor bytes;            ///< [count * bytes of a block] uint8 on the CPU, often a view of a mapped file
  std::vector<int64_t> shape;  ///< of the values, rank 1 or more
  at::Tensor scale;            ///< float32 [1] or [rows], by which 8-bit floats are multiplied; undefined for one

  bool defined() const { return format != BlockFormat::none; }
  int64_t rows() const { return shape.front(); }
  int64_t row_values() const;
  /// The least number of rows that fills whole blocks.
  int64_t row_step() const;
  /// Rows [begin, begin + count) as a view; both must be multiples of row_step().
  Blocks narrow(int64_t begin, int64_t count) const;
};

/// The values as plain numbers: `type` float32, bfloat16 or another floating type, which is rounded from float32.
///
/// return [shape]
/// source ggml-org/llama.cpp gguf-py/gguf/quants.py (gguf 0.19.0), whose float32 bits it gives
at::Tensor unpack(const Blocks& blocks, at::ScalarType type = at::kFloat);

/// Rows [begin, begin + out.size(0)), multiples of row_step(), into `out`.
///
/// out  [n, row_values] contiguous, float32 or bfloat16
void unpack_rows(const Blocks& blocks, int64_t begin, at::Tensor& out);

/// The rows of a table by number. ids any int64; return [..., row_values]
at::Tensor unpack_rows_at(const Blocks& blocks, const at::Tensor& ids, at::ScalarType type = at::kFloat);

}  // namespace keyflow
