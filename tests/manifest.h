#pragma once
#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::tests {

/// A published checkpoint's list of the shared data folder ("name<TAB>2x3x4" lines); empty where the folder is absent.
inline std::vector<weights::TensorInfo> read_manifest(const std::string& name) {
  std::vector<weights::TensorInfo> list;
  std::ifstream in(KEYFLOW_SHARED_DATA "/manifests/" + name + ".tsv");
  for (std::string line; std::getline(in, line);) {
    const auto tab = line.find('\t');
    weights::TensorInfo info{line.substr(0, tab), at::kBFloat16, {}};
    std::istringstream sizes(line.substr(tab + 1));
    for (std::string size; std::getline(sizes, size, 'x');) info.shape.push_back(std::stoll(size));
    list.push_back(std::move(info));
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return list;
}

}  // namespace keyflow::tests
