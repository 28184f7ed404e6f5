#pragma once

namespace keyflow {

/// x ≈ step·q - depth with q from 0 to `most`, step and depth at least 0.
struct AffineFit {
  float step = 0, depth = 0;
};

/// The fit of `count` values (at most 32) with the least square error, weighted by rms(x) + |x|, among `tries` widths
/// of the step around (max - min) / most; for each, step and depth solve the weighted normal equations. source
/// ggml-org/llama.cpp ggml/src/ggml-quants.c make_qkx2_quants: the same search, written anew
AffineFit fit_affine(const float* x, int count, int most, int tries);

/// The step, of either sign, of x ≈ step·q with q from -half to half - 1 that explains the most of the square of x,
/// weighted by x², among nineteen widths around max|x| / half.
/// source ggml-org/llama.cpp ggml/src/ggml-quants.c make_qx_quants: the same search, written anew
float fit_symmetric(const float* x, int count, int half);

/// x rounded half to even, within [least, most].
int rounded_within(float x, int least, int most);

}  // namespace keyflow
