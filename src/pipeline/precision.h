#pragma once
#include "core/compute.h"
#include "pipeline/finite.h"
#include "pipeline/network.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

bool is_float32(const Compute& compute);

/// The one line for numbers that are no longer numbers: stage, what is known about the place, the first bad weight.
/// Throws Error::numeric.
[[noreturn]] void fail_not_finite(const std::string& stage, const std::string& place, const Network& network);

/// Runs a stage in `compute`; when its result is not finite although every weight is, says so and repeats it once in
/// float32. `place` tells where it went wrong, "" if unknown.
template <class Run>
auto with_fallback(const Compute& compute, const Network& network, const std::string& stage, Observer& observer,
                   const std::string& place, Run&& run) {
  if (!is_float32(compute)) {
    try {
      return run(compute);
    } catch (const NotFinite&) {
      if (!first_bad_weight(network).empty()) fail_not_finite(stage, place, network);
      observer.warning(stage + " left the range of " + to_text(compute) + "; repeated in fp32");
    }
  }
  Compute exact;
  exact.device = compute.device;
  try {
    return run(exact);
  } catch (const NotFinite&) {
    fail_not_finite(stage, place, network);
  }
}

}  // namespace keyflow::pipeline
