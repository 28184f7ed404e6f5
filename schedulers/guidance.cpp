#include "schedulers/guidance.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow::schedulers {

at::Tensor guided(const at::Tensor& cond, const at::Tensor& uncond, double scale) {
  require_shape(uncond, cond.sizes(), "unconditional output");
  return uncond + scale * (cond - uncond);
}

at::Tensor rescaled_guidance(const at::Tensor& guided, const at::Tensor& cond, double rescale) {
  require(rescale >= 0 && rescale <= 1, ErrorKind::usage, "guidance rescale: expected 0 to 1, found ", rescale);
  require_shape(cond, guided.sizes(), "conditional output");
  if (rescale == 0) return guided;
  std::vector<int64_t> sample_dims;
  for (int64_t d = 1; d < guided.dim(); ++d) sample_dims.push_back(d);
  const auto spread = guided.std(sample_dims, /*unbiased=*/true, /*keepdim=*/true);   // [B, 1...]
  const auto wanted = cond.std(sample_dims, /*unbiased=*/true, /*keepdim=*/true);     // [B, 1...]
  const auto factor = at::where(spread > 0, wanted / spread, at::ones_like(spread));  // [B, 1...]
  return guided * (factor * rescale + (1 - rescale));
}

}  // namespace keyflow::schedulers
