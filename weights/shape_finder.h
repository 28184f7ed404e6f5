#pragma once
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::weights {

/// The shapes of a file's tensors by the model's names, for reading a configuration off them.
class ShapeFinder {
 public:
  /// `what` begins the messages ("flux transformer"). Keeps pointers into `tensors`.
  ShapeFinder(const std::vector<TensorInfo>& tensors, Rename rename, std::string what);

  bool has(const std::string& name) const { return find(name) != nullptr; }
  /// The shape as the file has it, parts of a stack still together. Throws Error::weights unless it is there with
  /// `rank` dimensions.
  const std::vector<int64_t>& get(const std::string& name, size_t rank) const;
  /// Blocks "blocks.0", "blocks.1" ... of which any of `weights` is there, so that one missing tensor is reported as
  /// such and not as a shorter network.
  int64_t count_blocks(const std::string& blocks, std::initializer_list<const char*> weights) const;

 private:
  const std::vector<int64_t>* find(const std::string& name) const;

  std::map<std::string, const std::vector<int64_t>*> shapes_;
  Rename rename_;
  std::string what_;
};

}  // namespace keyflow::weights
