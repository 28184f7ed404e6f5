// robustness.md §8, the rows that need no model: bad arguments are one line, exit 2, before anything is read or
// written.
#include <gtest/gtest.h>

#include "apps/program.h"

namespace keyflow::tests {
namespace {

struct Row {
  std::string name;
  std::vector<std::string> arguments;
  std::vector<std::string> words;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class BadArguments : public ::testing::TestWithParam<Row> {};

TEST_P(BadArguments, AreRefusedInOneLine) {
  const Outcome outcome = keyflow(GetParam().arguments);
  expect_refused(outcome, 2, GetParam().words);
  EXPECT_EQ(outcome.out, "");
}

Row video(const std::string& name, std::vector<std::string> more, std::vector<std::string> words) {
  std::vector<std::string> arguments{"video", "-p", "a cat", "-o", "/nowhere/out.mp4"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return {name, arguments, std::move(words)};
}

INSTANTIATE_TEST_SUITE_P(
    A01_Numbers, BadArguments,
    ::testing::Values(video("StepsWord", {"--steps", "abc"}, {"--steps", "\"abc\"", "whole number from 1 to 10000"}),
                      video("ScaleWord", {"--cfg-scale", "foo"}, {"--cfg-scale", "\"foo\"", "a number from"}),
                      video("SeedTooLarge", {"--seed", "99999999999999999999"},
                            {"--seed", "99999999999999999999", "0 to 18446744073709551615"}),
                      video("StepsExponent", {"--steps", "1e3"}, {"--steps", "\"1e3\""}),
                      video("StepsTail", {"--steps", "20x"}, {"--steps", "\"20x\""}),
                      video("StepsPlus", {"--steps", "+20"}, {"--steps", "\"+20\""}),
                      video("StepsSpace", {"--steps", " 20"}, {"--steps", "\" 20\""}),
                      video("StepsEmpty", {"--steps="}, {"--steps", "\"\""}),
                      video("StepsFraction", {"--steps", "2.5"}, {"--steps", "\"2.5\""}),
                      video("ScaleNan", {"--cfg-scale", "nan"}, {"--cfg-scale", "\"nan\""}),
                      video("ScaleInf", {"--cfg-scale", "inf"}, {"--cfg-scale", "\"inf\""}),
                      video("ScaleHuge", {"--cfg-scale", "1e400"}, {"--cfg-scale", "\"1e400\""}),
                      video("ScaleComma", {"--cfg-scale", "3,5"}, {"--cfg-scale", "\"3,5\""}),
                      video("ShiftHex", {"--shift", "0x5"}, {"--shift", "\"0x5\""}),
                      video("SeedMinusTwo", {"--seed", "-2"}, {"--seed", "\"-2\""}),
                      video("Threads", {"--threads", "0"}, {"--threads", "from 1 to 1024"}),
                      video("Preview", {"--preview", "0"}, {"--preview", "from 1"}),
                      video("Tile", {"--tile", "big"}, {"--tile", "\"big\""}),
                      video("Crf", {"--crf", "64"}, {"--crf", "\"64\"", "63"})),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    A02_Unknown, BadArguments,
    ::testing::Values(video("Option", {"--stepz", "20"}, {"--stepz", "did you mean --steps?"}),
                      video("ShortOption", {"-q"}, {"\"-q\""}),
                      video("OneDash", {"-prompt", "x"}, {"-prompt", "--prompt"}),
                      Row{"Command", {"vidoe"}, {"vidoe", "did you mean video?"}},
                      Row{"CommandFar", {"zzzzzz"}, {"zzzzzz", "keyflow --help"}},
                      Row{"OptionFirst", {"--steps", "3"}, {"--steps"}},
                      video("Sampler", {"--sampler", "unipcc"}, {"--sampler", "did you mean unipc?"}),
                      video("Progress", {"--progress", "fancy"}, {"--progress", "auto, bar, plain, json"}),
                      video("Conventions", {"--conventions", "oficial"}, {"did you mean official?"}),
                      video("Dtype", {"--dtype", "fp17"}, {"--dtype", "fp17", "bf16"}),
                      video("Operand", {"stray"}, {"unexpected word \"stray\""}),
                      video("ForgedLine", {"--x\nerror: y"}, {"--x\\x0aerror: y"})),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    A03_Values, BadArguments,
    ::testing::Values(video("Missing", {"--steps"}, {"--steps", "expected a value"}),
                      video("NextOption", {"--steps", "--seed", "3"}, {"--steps", "expected a value", "--seed"}),
                      video("FlagWithValue", {"--verbose=yes"}, {"--verbose", "expected no value", "yes"}),
                      video("Twice", {"--steps", "3", "--steps", "4"}, {"--steps", "\"3\"", "\"4\""}),
                      video("TwiceOtherName", {"--prompt", "a dog"}, {"--prompt", "a cat", "a dog"}),
                      video("SizeAndWidth", {"--size", "32x32", "--width", "32"}, {"--size", "--width"}),
                      Row{"NoOperand", {"interpolate"}, {"FIRST NEXT"}},
                      Row{"OneOperand", {"interpolate", "a.png"}, {"FIRST NEXT", "a.png"}},
                      Row{"NoOutput", {"video", "-p", "x"}, {"--output"}}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(A04_A06_A07_Ranges, BadArguments,
                         ::testing::Values(video("WidthZero", {"--width", "0"}, {"--width", "\"0\""}),
                                           video("WidthNegative", {"--width", "-64"}, {"--width", "\"-64\""}),
                                           video("WidthHuge", {"--width", "2147483648"}, {"--width", "2147483648"}),
                                           video("SizeForm", {"--size", "832"}, {"--size", "WIDTHxHEIGHT"}),
                                           video("SizeZero", {"--size", "0x480"}, {"--size", "0x480"}),
                                           video("StepsZero", {"--steps", "0"}, {"--steps", "from 1"}),
                                           video("FpsZero", {"--fps", "0"}, {"--fps", "\"0\""}),
                                           video("FramesZero", {"--frames", "0"}, {"--frames", "\"0\""}),
                                           video("FramesNegative", {"--frames=-5"}, {"--frames", "\"-5\""}),
                                           video("Keyframe", {"--keyframe", "x.png"}, {"--keyframe", "FRAME=PICTURE"}),
                                           video("KeyframeNumber", {"--keyframe", "8.5=x.png"},
                                                 {"--keyframe", "8.5=x.png"})),
                         [](const auto& info) { return info.param.name; });

Row output(const std::string& name, const std::string& path, std::vector<std::string> words) {
  return {name, {"video", "-p", "a cat", "-o", path}, std::move(words)};
}

INSTANTIATE_TEST_SUITE_P(A09_OutputNames, BadArguments,
                         ::testing::Values(output("Extension", "/tmp/out.xyz", {"out.xyz", "mp4"}),
                                           output("NoExtension", "/tmp/out", {"/tmp/out"}),
                                           output("PatternS", "/tmp/%s.png", {"%s"}),
                                           output("PatternN", "/tmp/%n.png", {"%n"}),
                                           output("PatternWide", "/tmp/%99999999d.png", {"%99999999d"}),
                                           output("PatternVideo", "/tmp/%04d.mp4", {"%04d"}),
                                           output("Empty", "", {"--output"}),
                                           output("OnePicture", "/tmp/a.png", {"a.png"})),
                         [](const auto& info) { return info.param.name; });

TEST(A10_OutputPlaces, AreRefusedBeforeAnyWork) {
  const TestFolder folder;
  std::filesystem::create_directory(folder / "folder.mp4");
  std::filesystem::create_directory(folder / "locked");
  folder.write("locked/old.mp4", "old");
  const auto before = folder.content();
  const auto refused = [&](const std::string& path, const std::string& word) {
    SCOPED_TRACE(path);
    expect_refused(keyflow({"video", "-p", "x", "-o", path}), 1, {word});
    EXPECT_EQ(folder.content(), before);
  };
  refused((folder / "none/out.mp4").string(), "none");
  refused((folder / "folder.mp4").string(), "folder.mp4");
  std::string long_name(300, 'a');
  long_name += ".mp4";
  refused((folder / long_name).string(), "aaaa");
  refused("/proc/out.mp4", "/proc");
}

TEST(A10_OutputPlaces, ThatCannotBeWrittenAreNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const TestFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  expect_refused(keyflow({"video", "-p", "x", "-o", (folder / "out.mp4").string()}), 1, {"out.mp4"});
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
}

TEST(A03_Twice, TheSameValueIsNoFault) {
  const Outcome outcome = keyflow({"sigmas", "--steps", "2", "--steps=2"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST(A01_Numbers, DoNotDependOnTheLocale) {
  const Outcome here = keyflow({"sigmas", "--steps", "3", "--shift", "3.5"});
  const Outcome there = keyflow({"sigmas", "--steps", "3", "--shift", "3.5"}, {.environment = {"LC_ALL=de_DE.UTF-8"}});
  EXPECT_EQ(here.code, 0);
  EXPECT_EQ(here.out, there.out);
}

}  // namespace
}  // namespace keyflow::tests
