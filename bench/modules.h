#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/compute.h"

namespace keyflow::bench {

/// A network at a named size.
struct Module {
  std::string name;  ///< "wan-dit-1.3b"
  std::string size;  ///< "256x256x17, 1280 tokens"
  /// Builds the network, from a folder as diffusers saves it or, where that is "", with random weights, and returns one
  /// forward pass.
  std::function<std::function<void()>(const Compute&, const std::filesystem::path& weights)> build;
};

const std::vector<Module>& modules();

struct Timing {
  std::string name, size;
  double seconds = 0;  ///< the fastest of the rounds
  double flop = 0;
  double outside = 0;        ///< share of the time outside matrix products, convolutions and attention
  double machine_flops = 0;  ///< fp32 matrix product of this machine, measured in the same run
  uint64_t peak_bytes = 0;   ///< resident, of the whole process
  double gflops() const { return seconds > 0 ? flop / seconds / 1e9 : 0; }
};

/// One warm-up, then `rounds` timed passes.
Timing time_module(const Module& module, const Compute& compute, const std::filesystem::path& weights, int64_t rounds);

/// 2048 x 1536 times 1536 x 8960 in float32: the best of three, in FLOP/s.
double machine_rate();

}  // namespace keyflow::bench
