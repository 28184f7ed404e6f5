#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace keyflow::weights {

/// up · down, a matrix of low rank. Without `down`, `up` is the matrix itself.
struct Product {
  at::Tensor up;    ///< [out, r], or [out, in, k...]
  at::Tensor down;  ///< [r, in, k...]; undefined for none

  int64_t rows() const { return up.size(0); }
  /// Entries of a row: in · k...
  int64_t columns() const;
  /// [out, in·k...] float32
  at::Tensor matrix() const;
};

/// What one LoRA file adds to one weight W [out, in, k...]: a matrix ΔW in the form the file keeps it in.
///
/// low rank (LoRA, LoCon)  ΔW = scale · first
/// Hadamard (LoHa)         ΔW = scale · first ∘ second, entry by entry
/// Kronecker (LoKr)        ΔW = scale · left ⊗ first
/// full                    ΔW = scale · first, without `down`; of any shape, a bias or a table too
///
/// source LoRA (2106.09685) eq. 3; FedPara (2108.06098) eq. 1 for LoHa; LyCORIS (2309.14859) §3 for LoKr
struct Adapter {
  Product first;
  Product second;   ///< `up` undefined unless Hadamard
  at::Tensor left;  ///< [a, b], undefined unless Kronecker
  /// alpha / rank, times the strength asked for; with a magnitude the strength stands apart.
  double scale = 1;
  /// The rows of ΔW that are meant; all where `rows` is 0. Only of a Kronecker product, which does not cut anywhere.
  int64_t first_row = 0, rows = 0;
  /// DoRA (2402.09353) eq. 5: lengths of the rows ([out] or [out, 1...]) or of the columns ([1, in, 1...]) of W + ΔW;
  /// undefined unless the file has them. Such a weight becomes W + strength · (length · (W + ΔW) / ‖W + ΔW‖ - W).
  at::Tensor magnitude;
  double strength = 1;

  /// DoRA over the columns of the whole weight, which rows alone do not know.
  bool scales_columns() const;
  bool is_hadamard() const { return second.up.defined(); }
  bool is_kronecker() const { return left.defined(); }
  int64_t out() const;
  /// in · k...
  int64_t columns() const;
};
using Adapters = std::vector<Adapter>;

/// The adapter of rows [begin, begin + count) of its weight.
Adapter rows_of(const Adapter& adapter, int64_t begin, int64_t count);

/// ΔW in float32, of the shape given.
at::Tensor delta(const Adapter& adapter, at::IntArrayRef shape);

/// The weight with all of them added in float32: the plain twin of what layers compute beside their product.
at::Tensor merged(const at::Tensor& weight, const Adapters& adapters);

}  // namespace keyflow::weights
