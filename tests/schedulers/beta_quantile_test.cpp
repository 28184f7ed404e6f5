#include "schedulers/beta_quantile.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace keyflow::schedulers {
namespace {

TEST(BetaQuantile, ClosedForms) {
  for (double p = 0; p <= 1.0; p += 0.0625) {
    EXPECT_NEAR(beta_quantile(p, 1, 1), p, 1e-14);
    EXPECT_NEAR(beta_quantile(p, 2, 1), std::sqrt(p), 1e-14);
    EXPECT_NEAR(beta_quantile(p, 1, 3), 1 - std::cbrt(1 - p), 1e-14);
    EXPECT_NEAR(beta_quantile(p, .5, .5), std::pow(std::sin(p * M_PI / 2), 2), 1e-14);
  }
}

TEST(BetaQuantile, ValuesOfScipy) {
  // scipy 1.17.1: scipy.stats.beta.ppf(p, 0.6, 0.6)
  EXPECT_NEAR(beta_quantile(1e-06, .6, .6), 1.8558824624053043e-10, 1e-13);
  EXPECT_NEAR(beta_quantile(0.01, .6, .6), 0.0008612388215429059, 1e-13);
  EXPECT_NEAR(beta_quantile(0.1, .6, .6), 0.03958440558878085, 1e-13);
  EXPECT_NEAR(beta_quantile(0.25, .6, .6), 0.17568037865269498, 1e-13);
  EXPECT_NEAR(beta_quantile(0.5, .6, .6), 0.5000000000000001, 1e-13);
  EXPECT_NEAR(beta_quantile(0.75, .6, .6), 0.824319621347305, 1e-13);
  EXPECT_NEAR(beta_quantile(0.99, .6, .6), 0.9991387611784571, 1e-13);
}

TEST(BetaQuantile, SmallProbabilitiesKeepTheirDigits) {
  const double x = beta_quantile(1e-12, .5, .5);
  EXPECT_NEAR(x / std::pow(std::sin(1e-12 * M_PI / 2), 2), 1.0, 1e-10);
}

TEST(BetaQuantile, RefusesWhatIsNoProbability) {
  EXPECT_THROW(beta_quantile(-0.1, 1, 1), Error);
  EXPECT_THROW(beta_quantile(NAN, 1, 1), Error);
  EXPECT_THROW(beta_quantile(0.5, 0, 1), Error);
}

}  // namespace
}  // namespace keyflow::schedulers
