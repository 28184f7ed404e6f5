#include <gtest/gtest.h>

#include "models/wan/vae.h"
#include "tests/manifest.h"
#include "weights/plan.h"

namespace keyflow::wan {
namespace {

TEST(VaeManifest, PublishedCheckpointIsWhatTheNetworkAsksFor) {
  const auto list = tests::read_manifest("wan2.1-vae");
  if (list.empty()) GTEST_SKIP() << "needs the shared data folder";
  const auto plan = weights::record([](const weights::Scope& w) { Vae(w, VaeConfig{}); });
  EXPECT_EQ(plan.entries().size(), 194u);
  const auto report = plan.compare(list);
  EXPECT_TRUE(report.matches()) << report.missing.size() << " missing, " << report.unexpected.size() << " unexpected, "
                                << report.shape.size() << " of another shape";
}

}  // namespace
}  // namespace keyflow::wan
