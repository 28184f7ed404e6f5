#include "models/layers/embedding_mlp.h"

#include <ATen/ops/silu.h>

namespace keyflow::layers {

EmbeddingMlp::EmbeddingMlp(const weights::Scope& w, int64_t in, int64_t out)
    : linear_1(Linear::fp32(w / "linear_1", in, out)), linear_2(Linear::fp32(w / "linear_2", out, out)) {}

at::Tensor EmbeddingMlp::operator()(const at::Tensor& x) const { return linear_2(at::silu(linear_1(x))); }

}  // namespace keyflow::layers
