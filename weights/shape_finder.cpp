#include "weights/shape_finder.h"

#include <algorithm>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow::weights {

ShapeFinder::ShapeFinder(const std::vector<TensorInfo>& tensors, Rename rename, std::string what)
    : rename_(std::move(rename)), what_(std::move(what)) {
  for (const auto& info : tensors) shapes_[info.name] = &info.shape;
}

const std::vector<int64_t>* ShapeFinder::find(const std::string& name) const {
  const auto found = shapes_.find(rename_(name).name);
  return found == shapes_.end() ? nullptr : found->second;
}

const std::vector<int64_t>& ShapeFinder::get(const std::string& name, size_t rank) const {
  const auto* found = find(name);
  require(found && found->size() == rank, ErrorKind::weights, what_, ": expected a tensor ", rename_(name).name, " of ",
          rank, " dimensions, found ", found ? shape_text(*found) : "none");
  return *found;
}

int64_t ShapeFinder::count_blocks(const std::string& blocks, std::initializer_list<const char*> weights) const {
  int64_t count = 0;
  const auto present = [&](const char* weight) { return has(c10::str(blocks, ".", count, ".", weight)); };
  while (std::any_of(weights.begin(), weights.end(), present)) ++count;
  return count;
}

}  // namespace keyflow::weights
