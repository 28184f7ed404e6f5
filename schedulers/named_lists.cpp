#include "schedulers/named_lists.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "schedulers/spacing.h"

namespace keyflow::schedulers {
namespace {

constexpr int64_t kLevels = 1000;
constexpr double kTop = kLevels - 1;

struct Name {
  std::string_view text;
  NamedList list;
};

constexpr std::array kNames{
    Name{"discrete", NamedList::discrete},       Name{"simple", NamedList::simple},
    Name{"sgm_uniform", NamedList::sgm_uniform}, Name{"ddim_uniform", NamedList::ddim_uniform},
    Name{"smoothstep", NamedList::smoothstep},   Name{"lcm", NamedList::lcm},
    Name{"kl_optimal", NamedList::kl_optimal},   Name{"ays_sd1", NamedList::ays_sd1},
    Name{"ays_sdxl", NamedList::ays_sdxl},       Name{"ays_svd", NamedList::ays_svd},
};

/// The optimised levels of ten steps.
const std::vector<double>& optimised(NamedList list) {
  static const std::vector<double> sd1{14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520,
                                       1.8841921177,  1.3943805092, 0.9642583904, 0.6523686016,
                                       0.3977456272,  0.1515232662, 0.0291671582};
  static const std::vector<double> sdxl{14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769,
                                        1.3405244945,  0.8620721141, 0.5550693289, 0.3798540708,
                                        0.2332364134,  0.1114188177, 0.0291671582};
  static const std::vector<double> svd{700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002};
  return list == NamedList::ays_sd1 ? sd1 : list == NamedList::ays_sdxl ? sdxl : svd;
}

double position(NamedList list, int64_t i, int64_t steps) {
  const double n = static_cast<double>(steps), share = static_cast<double>(i) / n;
  switch (list) {
    case NamedList::discrete:
      return steps == 1 ? kTop : kTop - kTop * static_cast<double>(i) / (n - 1);
    case NamedList::simple:
      return kTop - static_cast<double>(i * kLevels / steps);
    case NamedList::sgm_uniform:
      return kTop * (1 - share);
    case NamedList::ddim_uniform:
      return std::min(kTop, static_cast<double>((steps - 1 - i) * std::max<int64_t>(kLevels / steps, 1) + 1));
    case NamedList::smoothstep: {
      const double u = 1 - share;
      return std::round(u * u * (3 - 2 * u) * kTop);
    }
    case NamedList::lcm: {
      constexpr int64_t kDistillationSteps = 50;
      const int64_t place = i * kDistillationSteps / steps;
      return static_cast<double>((kDistillationSteps - place) * (kLevels / kDistillationSteps) - 1);
    }
    default:
      return kTop;
  }
}

}  // namespace

std::vector<double> listed_positions(NamedList list, int64_t steps) {
  std::vector<double> positions;
  if (list >= NamedList::kl_optimal) return positions;
  for (int64_t i = 0; i < steps; ++i) positions.push_back(position(list, i, steps));
  return positions;
}

std::vector<double> listed_sigmas(NamedList list, int64_t steps, double most, double least) {
  std::vector<double> sigmas;
  if (list == NamedList::kl_optimal) {
    for (const double angle : linspace(std::atan(most), std::atan(least), steps)) {
      sigmas.push_back(std::min(std::tan(angle), most));
    }
    return sigmas;
  }
  const auto& levels = optimised(list);
  const auto intervals = static_cast<double>(levels.size() - 1);
  for (int64_t i = 0; i < steps; ++i) {
    const double at = intervals * static_cast<double>(i) / static_cast<double>(steps);
    const auto low = static_cast<size_t>(at);
    const double share = at - static_cast<double>(low);
    sigmas.push_back(std::exp((1 - share) * std::log(levels[low]) + share * std::log(levels[low + 1])));
  }
  return sigmas;
}

bool find_named_list(std::string_view name, NamedList& list) {
  for (const auto& known : kNames) {
    if (known.text != name) continue;
    list = known.list;
    return true;
  }
  return false;
}

std::vector<std::string> named_list_names() {
  std::vector<std::string> names;
  for (const auto& known : kNames) names.emplace_back(known.text);
  return names;
}

}  // namespace keyflow::schedulers
