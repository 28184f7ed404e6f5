#pragma once
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace keyflow::train {

/// Appends one JSON object a line: {"step": 20, "loss": 0.031, ...}; flushed, so that a killed run keeps its curve.
class Log {
 public:
  explicit Log(const std::filesystem::path& path);
  void write(const std::vector<std::pair<std::string, double>>& values);

 private:
  std::ofstream out_;
};

/// Linear warm-up over `warm_up` steps, constant, then a cosine to a twentieth over the last `cool_down` of `total`.
double learning_rate(double peak, int64_t step, int64_t warm_up, int64_t cool_down, int64_t total);

}  // namespace keyflow::train
