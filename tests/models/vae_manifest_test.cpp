#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "models/wan/vae.h"
#include "weights/plan.h"

namespace keyflow::wan {
namespace {

/// "name<TAB>2x3x4" lines.
std::map<std::string, std::vector<int64_t>> read_manifest(const std::filesystem::path& path) {
  std::map<std::string, std::vector<int64_t>> entries;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto tab = line.find('\t');
    auto& shape = entries[line.substr(0, tab)];
    std::istringstream sizes(line.substr(tab + 1));
    for (std::string size; std::getline(sizes, size, 'x');) shape.push_back(std::stoll(size));
  }
  return entries;
}

TEST(VaeManifest, PublishedCheckpointIsWhatTheNetworkAsksFor) {
  const std::filesystem::path path = KEYFLOW_SHARED_DATA "/manifests/wan2.1-vae.tsv";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the shared data folder";
  const auto plan = weights::record([](const weights::Scope& w) { Vae(w, VaeConfig{}); });
  std::map<std::string, std::vector<int64_t>> asked;
  for (const auto& info : plan.as_file(weights::same_name)) asked[info.name] = info.shape;
  EXPECT_EQ(asked.size(), 194u);
  EXPECT_EQ(asked, read_manifest(path));
}

}  // namespace
}  // namespace keyflow::wan
