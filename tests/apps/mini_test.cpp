// The model that ships with keyflow, through the program. Registered only where weights/mini is there.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/program.h"

namespace keyflow::tests {
namespace {

using Words = std::vector<std::string>;

void good(const Words& words) {
  const Outcome outcome = keyflow(words);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST(Mini, IsWhole) {
  const Outcome outcome = keyflow({"inspect", "mini", "--json", "--finite"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report["family"], "wan");
  EXPECT_TRUE(report["absent"].empty());
  EXPECT_LE(report["bytes"], 40'000'000);
}

TEST(Mini, DoesEveryTaskWithItsDefaults) {
  const TestFolder folder;
  const std::string a = folder.write("a.bmp", bmp_bytes(160, 120, 200, 60, 30)),
                    b = folder.write("b.bmp", bmp_bytes(96, 128, 30, 60, 200));
  const Words quick{"--steps", "2", "-p", "a red ball"};
  const auto render = [&](Words words, const std::string& name) {
    words.insert(words.end(), quick.begin(), quick.end());
    words.insert(words.end(), {"-o", (folder / name).string()});
    good(words);
    EXPECT_TRUE(std::filesystem::exists(folder / name));
  };
  render({"image"}, "image.png");
  render({"video"}, "t2v.mp4");
  render({"video", "--first", a}, "i2v.mp4");
  render({"video", "--last", b}, "last.mp4");
  render({"video", "--keyframe", "8=" + a}, "middle.mp4");
  render({"interpolate", a, b}, "flf2v.mp4");
}

TEST(Mini, IsTheSameTwice) {
  const TestFolder folder;
  for (const char* name : {"a.mp4", "b.mp4"})
    good({"video", "-p", "a red ball", "--steps", "2", "-o", (folder / name).string()});
  EXPECT_EQ(file_content(folder / "a.mp4"), file_content(folder / "b.mp4"));
}

}  // namespace
}  // namespace keyflow::tests
