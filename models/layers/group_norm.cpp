#include "models/layers/group_norm.h"

#include "core/error.h"

namespace keyflow::layers {

using weights::Init;

GroupNorm::GroupNorm(const weights::Scope& w, int64_t channels, int64_t groups, double eps)
    : weight_(w.tensor("weight", {channels}, Init::ones).to(at::kFloat)),
      bias_(w.tensor("bias", {channels}, Init::zeros).to(at::kFloat)),
      groups_(groups),
      eps_(eps) {
  require(groups >= 1 && channels % groups == 0, ErrorKind::config, w.prefix(), ": ", channels,
          " channels cannot be cut into ", groups, " groups");
}

at::Tensor GroupNorm::operator()(const at::Tensor& x, ops::AfterNorm after, const ops::GroupNormExtras& extras) const {
  return ops::group_norm(x, groups_, weight_, bias_, eps_, after, extras);
}

ops::ChannelScale GroupNorm::scale(const ops::ChannelMoments& moments) const {
  return moments.scale(groups_, weight_, bias_, eps_);
}

}  // namespace keyflow::layers
