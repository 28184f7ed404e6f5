#include "media/output.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "media/sample_media.h"

namespace keyflow::media {
namespace {

TEST(A09, EveryKnownExtensionInAnyCase) {
  for (const char* name : {"a.mp4", "a.MOV", "a.mkv", "a.webm", "a.GIF", "a.webp", "a.apng"}) {
    EXPECT_FALSE(parse_output(name, 5).is_pattern) << name;
  }
  EXPECT_EQ(parse_output("a.JPEG", 1).format, OutputFormat::jpeg);
}

TEST(A09, UnknownExtensionIsUsage) {
  EXPECT_ERROR(parse_output("a.mp5", 5), ErrorKind::usage, "a.mp5", ".mp4", "did you mean");
  EXPECT_ERROR(parse_output("a", 5), ErrorKind::usage, "no ending");
  EXPECT_ERROR(parse_output("a.mp4.exe", 5), ErrorKind::usage, ".exe");
  EXPECT_ERROR(parse_output(".mp4", 5), ErrorKind::usage, "no ending");
}

TEST(A09, OnlyOneFrameNumberIsAPattern) {
  for (const char* name : {"%s.png", "%n.png", "%99999999d.png", "a%04d%04d.png", "a%%.png", "%.png", "%0d.png",
                           "%00d.png", "%4d.png", "%-4d.png", "%04x.png", "%04ld.png", "%1$d.png"}) {
    EXPECT_ERROR(parse_output(name, 3), ErrorKind::usage, "%04d", std::string(name).substr(0, 3));
  }
  EXPECT_ERROR(parse_output("a%04d.mp4", 3), ErrorKind::usage, ".png");
  EXPECT_ERROR(parse_output("a.png", 3), ErrorKind::usage, "a_%04d.png");
}

TEST(A09, FramesAreNumberedFromZero) {
  EXPECT_EQ(parse_output("d%sir/a_%03d.png", 3).frame_path(7), "d%sir/a_007.png");
  EXPECT_EQ(parse_output("%d.jpg", 3).frame_path(12), "12.jpg");
  EXPECT_EQ(parse_output("a%02db.png", 300).frame_path(299), "a299b.png");
  EXPECT_EQ(parse_output("a.png", 1).frame_path(0), "a.png");
}

TEST(A10, ThePlaceIsTriedBeforeAnyWork) {
  const TempFolder folder;
  EXPECT_ERROR(require_output(folder / "missing/a.mp4", 5), ErrorKind::io, "missing");
  std::filesystem::create_directory(folder / "folder.mp4");
  EXPECT_ERROR(require_output(folder / "folder.mp4", 5), ErrorKind::io, "folder.mp4", "found a folder");
  std::string long_name(300, 'a');
  long_name += ".mp4";
  EXPECT_ERROR(require_output(folder / long_name, 5), ErrorKind::io, "too long");
  EXPECT_ERROR(require_output("/proc/a.mp4", 5), ErrorKind::io, "/proc/a.mp4");
  if (::geteuid() != 0) {
    std::filesystem::permissions(folder.path(),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    EXPECT_ERROR(require_output(folder / "a.mp4", 5), ErrorKind::io, "a.mp4", "Permission");
    std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  }
}

TEST(A10, TheTrialLeavesNothing) {
  const TempFolder folder;
  write_bytes(folder / "old.png", "old");
  require_output(folder / "old.png", 1);
  require_output(folder / "new_%04d.png", 3);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"old.png"});
  EXPECT_EQ(bytes_of(folder / "old.png"), "old");
}

}  // namespace
}  // namespace keyflow::media
