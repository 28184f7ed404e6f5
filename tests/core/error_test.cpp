#include "core/error.h"

#include <gtest/gtest.h>

namespace keyflow {
namespace {

using namespace std::string_literals;

TEST(Error, SaysItsKindAndListsItemsBelow) {
  const Error error(ErrorKind::weights, "model: 2 missing", {"a [1]", "b [2]"});
  EXPECT_EQ(error.kind(), ErrorKind::weights);
  EXPECT_STREQ(error.what(), "weights: model: 2 missing\n  a [1]\n  b [2]");
}

TEST(Error, RequireThrowsOnlyWhenFalse) {
  EXPECT_NO_THROW(require(true, ErrorKind::io, "x"));
  try {
    require(false, ErrorKind::usage, "--steps ", 0, ": expected at least ", 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "usage: --steps 0: expected at least 1");
  }
}

TEST(Error, EveryKindHasAName) {
  for (const auto kind : {ErrorKind::usage, ErrorKind::config, ErrorKind::weights, ErrorKind::shape, ErrorKind::io,
                          ErrorKind::device, ErrorKind::unsupported, ErrorKind::numeric, ErrorKind::interrupted}) {
    EXPECT_NE(name_of(kind), name_of(ErrorKind::internal));
  }
}

TEST(Printable, LeavesCleanTextAlone) {
  EXPECT_EQ(printable("blocks.0.q \xE6\xA8\xA1 \xF0\x9F\x8D\x8A"), "blocks.0.q \xE6\xA8\xA1 \xF0\x9F\x8D\x8A");
}

TEST(Printable, EscapesControlsAndInvalidUtf8) {
  EXPECT_EQ(printable("a\nb\x1b[0m\x7f"), "a\\x0ab\\x1b[0m\\x7f");
  EXPECT_EQ(printable("a\0b"s), "a\\x00b");
  EXPECT_EQ(printable("\xC3"), "\\xc3");           // cut sequence
  EXPECT_EQ(printable("\xC0\xAF"), "\\xc0\\xaf");  // overlong
  EXPECT_EQ(printable("\xC2\x9B"
                      "1m"),
            "\\xc2\\x9b1m");  // C1 control: a terminal escape in one character
  EXPECT_EQ(printable("\xF5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");
}

TEST(Printable, RefusesSurrogatesAndLongForms) {
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(printable("\xE0\x80\xAF"), "\\xe0\\x80\\xaf");
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(Printable, EscapesLineSeparatorsAndDirectionMarks) {
  EXPECT_EQ(printable("a\xE2\x80\xA8"
                      "b"),
            "a\\xe2\\x80\\xa8"
            "b");
  EXPECT_EQ(printable("a\xE2\x80\xAE"
                      "b"),
            "a\\xe2\\x80\\xae"
            "b");
}

TEST(Printable, CutsLongText) {
  std::string cut(120, 'x');
  cut += "...";
  EXPECT_EQ(printable(std::string(500, 'x')), cut);
  EXPECT_EQ(printable(std::string(120, 'x')), std::string(120, 'x'));
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

TEST(Nearest, FindsASmallDistanceOnly) {
  EXPECT_EQ(nearest("--setps", {"--size", "--steps", "--seed"}), "--steps");
  EXPECT_EQ(nearest("norm_q.weight", {"q_norm.weight", "norm_k.bias"}), "q_norm.weight");
  EXPECT_EQ(nearest("zebra", {"alpha", "beta"}), "");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace keyflow
