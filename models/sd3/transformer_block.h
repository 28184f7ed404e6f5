#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "models/layers/adaptive_norm.h"
#include "models/layers/joint_stream.h"
#include "models/sd3/config.h"
#include "weights/scope.h"

namespace keyflow::sd3 {

/// Picture and text with weights of their own and one attention for both. In the dual layers the picture's tokens
/// attend among themselves as well; the last block leaves the text where it is, for nothing reads it any more. Where no
/// gradient is wanted a branch adds into its stream itself, so the caller gives the streams up.
/// source diffusers 0.42.1 models/attention.py JointTransformerBlock; Stable Diffusion 3 (2403.03206) fig. 2b
class JointBlock {
 public:
  /// `index` tells the last block and the dual ones.
  JointBlock(const weights::Scope& w, const TransformerConfig& config, int64_t index);
  /// condition [B, C] float32, after its SiLU; return the streams, the text undefined after the last block
  layers::Streams operator()(layers::Streams streams, const at::Tensor& condition) const;

 private:
  struct SecondAttention {
    SecondAttention(const weights::Scope& w, const layers::HeadSizes& sizes);
    layers::HeadProjection projections;
    layers::Linear out;
  };
  struct Text {
    Text(const weights::Scope& block, const layers::HeadSizes& sizes);
    layers::ModulationProjection norm1_context;
    layers::JointStream stream;
  };
  struct LastText {
    LastText(const weights::Scope& block, const layers::HeadSizes& sizes);
    layers::AdaptiveNorm norm1_context;
    layers::HeadProjection projections;
  };

  layers::ModulationProjection norm1;
  layers::JointStream picture_;
  std::optional<SecondAttention> attn2;
  std::optional<Text> text_;
  std::optional<LastText> last_text_;
  at::ScalarType linear_;
};

}  // namespace keyflow::sd3
