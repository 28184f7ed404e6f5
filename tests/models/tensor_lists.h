#pragma once
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/shape.h"
#include "weights/tensor_info.h"

namespace keyflow::tests {

/// Lines "name<TAB>2x3x4".
inline std::vector<weights::TensorInfo> read_list(const std::filesystem::path& path) {
  std::vector<weights::TensorInfo> list;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto tab = line.find('\t');
    weights::TensorInfo info{line.substr(0, tab), at::kFloat, {}};
    std::istringstream sizes(line.substr(tab + 1));
    for (std::string size; std::getline(sizes, size, 'x');) info.shape.push_back(std::stoll(size));
    list.push_back(info);
  }
  return list;
}

/// "name [2, 3, 4]", sorted.
inline std::vector<std::string> lines_of(const std::vector<weights::TensorInfo>& list) {
  std::vector<std::string> lines;
  for (const auto& info : list) lines.push_back(info.name + " " + shape_text(info.shape));
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace keyflow::tests
