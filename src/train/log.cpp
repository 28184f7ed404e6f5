#include "train/log.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace keyflow::train {

Log::Log(const std::filesystem::path& path) : out_(path, std::ios::app) {
  require(out_.good(), ErrorKind::io, printable(path.string(), 400), ": cannot write the log");
}

void Log::write(const std::vector<std::pair<std::string, double>>& values) {
  nlohmann::ordered_json line;
  for (const auto& [name, value] : values) line[name] = value;
  out_ << line.dump() << std::endl;
}

double learning_rate(double peak, int64_t step, int64_t warm_up, int64_t cool_down, int64_t total) {
  if (step < warm_up) return peak * static_cast<double>(step + 1) / static_cast<double>(warm_up);
  const int64_t left = total - step;
  if (left >= cool_down || cool_down <= 0) return peak;
  const double progress = 1 - static_cast<double>(std::max<int64_t>(left, 0)) / static_cast<double>(cool_down);
  return peak * (0.05 + 0.95 * 0.5 * (1 + std::cos(M_PI * progress)));
}

}  // namespace keyflow::train
