#pragma once
#include <ATen/core/Tensor.h>

#include <string_view>

#include "models/layers/adaptive_norm.h"
#include "models/layers/feed_forward.h"
#include "models/layers/head_projection.h"

namespace keyflow::layers {

/// The two residual streams of a transformer that attends to picture and text jointly, [B, L, C] and [B, M, C] float32.
struct Streams {
  at::Tensor picture, text;
};

/// What one stream's layers are called inside a block.
struct StreamNames {
  ProjectionNames projections;
  std::string_view out, ff;
};
constexpr StreamNames kPictureStream{kPictureProjections, "to_out.0", "ff"};
constexpr StreamNames kTextStream{kTextProjections, "to_add_out", "ff_context"};

/// One stream of a joint block: what it does before and after the attention that both share, each part an adaptive
/// residual branch. Where no gradient is wanted a branch adds into x itself, so the caller gives it up.
/// source Stable Diffusion 3 (2403.03206) fig. 2b
class JointStream {
 public:
  /// `block` is the block's scope; the feed-forward is four times as wide as the stream.
  JointStream(const weights::Scope& block, const StreamNames& names, const HeadSizes& sizes);

  /// x [B, L, C] float32; table [L, D/2] complex64, undefined for none
  Heads heads(const at::Tensor& x, const Modulation& m, const at::Tensor& table = {}) const;
  /// attended [B, L, C], this stream's rows of the attention; return x with them added
  at::Tensor add_attention(at::Tensor x, const at::Tensor& attended, const Modulation& m) const;
  /// `tokens_at_once` over the whole batch; 0 chooses
  at::Tensor feed_forward(const at::Tensor& x, const Modulation& m, int64_t tokens_at_once = 0) const;

 private:
  HeadProjection projections;
  Linear out;
  FeedForward ff;
  double eps_;
  at::ScalarType linear_;
};

}  // namespace keyflow::layers
