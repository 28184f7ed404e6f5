#pragma once
#include <ATen/core/Tensor.h>

#include "models/flux/config.h"
#include "models/layers/adaptive_norm.h"
#include "models/layers/joint_stream.h"
#include "weights/scope.h"

namespace keyflow::flux {

/// Picture and text with weights of their own and one attention for both. Where no gradient is wanted a branch adds
/// into its stream itself, so the caller gives the streams up.
class DoubleBlock {
 public:
  DoubleBlock(const weights::Scope& w, const TransformerConfig& config);
  /// condition [B, C] float32, after its SiLU; table [M+L, D/2] complex64, text first
  layers::Streams operator()(layers::Streams streams, const at::Tensor& condition, const at::Tensor& table) const;

 private:
  layers::ModulationProjection norm1, norm1_context;
  layers::JointStream picture_, text_;
};

/// Text and picture as one sequence; attention and MLP side by side in one branch.
/// source Scaling Vision Transformers to 22B (2302.05442) §2.1; FLUX src/flux/modules/layers.py@c00d7c6
///        SingleStreamBlock
class SingleBlock {
 public:
  SingleBlock(const weights::Scope& w, const TransformerConfig& config);
  /// x [B, M+L, C] float32, given up by the caller; the rest as above; `tokens_at_once` over the whole batch, 0 chooses
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& condition, const at::Tensor& table,
                        int64_t tokens_at_once = 0) const;

 private:
  layers::ModulationProjection norm;
  layers::HeadProjection projections;
  layers::Linear proj_mlp, proj_out;
  at::ScalarType linear_;
  int64_t inner_;
};

}  // namespace keyflow::flux
