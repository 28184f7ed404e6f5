#include "core/data_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;

/// A folder beside the test program's folder, where an installed program's data would lie.
class Installed : public testing::Test {
 protected:
  void SetUp() override {
    share_ = fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "share";
    ASSERT_FALSE(fs::exists(share_)) << share_;
    fs::create_directories(share_ / "keyflow/configs");
  }
  void TearDown() override { fs::remove_all(share_); }
  fs::path share_;
};

TEST_F(Installed, DataBesideTheProgramWins) { EXPECT_EQ(data_folder(), share_ / "keyflow"); }

TEST(DataFolder, SourceTreeElse) {
  if (!fs::is_directory(KEYFLOW_SOURCE_DIR "/configs")) {
    EXPECT_THROW(data_folder(), Error);
  } else {
    EXPECT_EQ(data_folder(), fs::path(KEYFLOW_SOURCE_DIR));
  }
}

}  // namespace
}  // namespace keyflow
