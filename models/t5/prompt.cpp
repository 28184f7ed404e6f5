#include "models/t5/prompt.h"

#include <ATen/TensorOperators.h>

#include "core/shape.h"

namespace keyflow::t5 {

at::Tensor encode_prompt(const Encoder& encoder, const at::Tensor& ids, const at::Tensor& weights) {
  const auto [B, L] = dims<2>(ids, "t5 ids");
  if (weights.defined()) require_shape(weights, {B, L}, "token weights");
  const at::Tensor states = encoder(ids);  // [B, L, C]
  return weights.defined() ? states * weights.to(states.device(), at::kFloat).unsqueeze(2) : states;
}

}  // namespace keyflow::t5
