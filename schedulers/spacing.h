#pragma once
#include <cstdint>
#include <vector>

#include "schedulers/flow_schedule.h"

namespace keyflow::schedulers {

/// `count` evenly spaced numbers, both ends included, with numpy's rounding; a single one is `first`.
std::vector<double> linspace(double first, double last, int64_t count);

/// As many sigmas as given, laid by another law between the first and the last of them.
/// source Karras et al. (2206.00364) eq. 5, rho = 7; Lee et al. (2407.12173) Beta(0.6, 0.6); diffusers 0.42.1
///        schedulers/scheduling_euler_discrete.py
std::vector<double> spaced(const std::vector<double>& sigmas, Spacing spacing);

}  // namespace keyflow::schedulers
