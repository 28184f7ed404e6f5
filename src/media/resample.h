#pragma once
#include <cstdint>
#include <vector>

namespace keyflow::media {

enum class Kernel { bicubic, lanczos };

/// One axis of a resize: which outputs are wanted and how each is mixed from inputs.
struct Axis {
  int64_t first = 0;             ///< the first input that is needed
  int64_t inputs = 0;            ///< how many inputs are needed from there
  int64_t taps = 0;              ///< room for weights per output
  std::vector<int64_t> starts;   ///< per output: its first input, counted from `first`
  std::vector<int64_t> counts;   ///< per output: how many inputs
  std::vector<int32_t> weights;  ///< [outputs, taps], 22-bit fixed point

  Axis() = default;

  /// Weights of Pillow's resize from `from` to `to` samples for the outputs [begin, begin + count).
  Axis(Kernel kernel, int64_t from, int64_t to, int64_t begin, int64_t count);
};

/// Horizontal pass, `source` at the axis's first input: each of `rows` lines, `stride` bytes apart, becomes a line of
/// the axis's outputs.
void resample_columns(const Axis& axis, const uint8_t* source, int64_t rows, int64_t stride, uint8_t* target);

/// Vertical pass, `source` at the axis's first input: lines of `width` bytes, `stride` bytes apart, become the axis's
/// outputs, packed.
void resample_rows(const Axis& axis, const uint8_t* source, int64_t width, int64_t stride, uint8_t* target);

}  // namespace keyflow::media
