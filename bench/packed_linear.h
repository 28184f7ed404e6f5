#pragma once
#include <functional>

#include "core/compute.h"
#include "core/quantised/block_format.h"

namespace keyflow::bench {

/// One linear layer of Wan2.1-14B's attention, 5120 to 5120, on 1280 tokens, with a packed weight; BlockFormat::none
/// for a weight in float16 as a mapped file has it. Tells what unpacking costs.
std::function<void()> packed_linear(const Compute& compute, BlockFormat format);

}  // namespace keyflow::bench
