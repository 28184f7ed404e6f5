// robustness.md E04 and E06: odd environments, and readers that go away. Also what every run shares.
#include <gtest/gtest.h>
#include <signal.h>

#include "apps/program.h"

namespace keyflow::tests {
namespace {

const std::vector<std::string> kSigmas{"sigmas", "--steps", "3"};

TEST(E04_Environment, IsSurvived) {
  const std::string usual = keyflow(kSigmas).out;
  ASSERT_NE(usual, "");
  const auto same = [&](const std::string& name, const Launch& launch) {
    SCOPED_TRACE(name);
    const Outcome outcome = keyflow(kSigmas, launch);
    EXPECT_EQ(outcome.signal, 0);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, usual);
  };
  same("eight descriptors", {.shell = "ulimit -n 8;"});
  same("small stack", {.shell = "ulimit -s 256;"});
  same("no HOME, TERM, PATH", {.shell = "unset HOME TERM PATH;"});
  same("no environment at all", {.shell = "exec env -i " KEYFLOW_PROGRAM " sigmas --steps 3;"});
  same("OMP_NUM_THREADS=abc", {.environment = {"OMP_NUM_THREADS=abc"}});
  same("stdin closed", {.shell = " ", .redirect = "<&-"});
}

TEST(E04_Environment, ClosedStreams) {
  for (const char* redirect : {">&-", "2>&-", ">&- 2>&-", ">&- 2>&- <&-"}) {
    SCOPED_TRACE(redirect);
    const Outcome works = keyflow(kSigmas, {.shell = " ", .redirect = redirect});
    EXPECT_EQ(works.signal, 0);
    EXPECT_LE(works.code, 1);
    const Outcome fails = keyflow({"sigmas", "--steps", "x"}, {.shell = " ", .redirect = redirect});
    EXPECT_EQ(fails.signal, 0);
    EXPECT_EQ(fails.code, 2);
  }
}

TEST(E06_Reader, GoesAway) { expect_refused(keyflow(kSigmas, {.reader_leaves = true}), 1, {"standard output"}); }

TEST(E06_Reader, IsFull) {
  expect_refused(keyflow(kSigmas, {.shell = " ", .redirect = ">/dev/full"}), 1, {"standard output", "No space left"});
}

TEST(Version, IsOneLine) {
  const Outcome outcome = keyflow({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(outcome.out.starts_with("keyflow "));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1);
}

TEST(Help, IsOnStandardOutputAndSucceeds) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{}, {"--help"}, {"-h"}, {"video", "--help"}, {"sigmas", "-h", "x", "y"}}) {
    const Outcome outcome = keyflow(words);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_NE(outcome.out.find("Usage: keyflow"), std::string::npos);
  }
}

}  // namespace
}  // namespace keyflow::tests
