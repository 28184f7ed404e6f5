#pragma once

namespace keyflow::schedulers {

/// The x in [0, 1] below which a Beta(a, b) variable falls with probability p, to about 1e-14.
///
/// p in [0, 1]; a, b > 0
/// source NIST Digital Library of Mathematical Functions 8.17.22 (continued fraction of the distribution function)
double beta_quantile(double p, double a, double b);

}  // namespace keyflow::schedulers
