#include "pipeline/precision.h"

namespace keyflow::pipeline {

bool is_float32(const Compute& compute) {
  return compute.linear == at::kFloat && compute.conv2d == at::kFloat && compute.conv3d == at::kFloat &&
         compute.attention == at::kFloat;
}

void fail_not_finite(const std::string& stage, const std::string& place, const Network& network) {
  const std::string weight = first_bad_weight(network);
  fail(ErrorKind::numeric, stage, place.empty() ? "" : ": " + place, ": the result is not finite; ",
       printable(network.file()->path().string(), 400), ": ",
       weight.empty() ? "all weights are finite, the values grow out of float32" : weight);
}

}  // namespace keyflow::pipeline
