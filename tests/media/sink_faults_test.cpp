#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "media/frame_sink.h"
#include "media/libav.h"
#include "media/picture.h"
#include "media/sample_media.h"
#include "media/settings.h"
#include "media/video_reader.h"

namespace keyflow::media {
namespace {

SinkOptions options(int64_t frames) { return {.width = 64, .height = 48, .frames = frames, .settings_json = "{}"}; }

class EveryFormat : public testing::TestWithParam<const char*> {
 protected:
  int64_t frames() const {
    return std::string(GetParam()) == "one.png" || std::string(GetParam()) == "one.jpg" ? 1 : 4;
  }
};

TEST_P(EveryFormat, NothingIsThereBeforeFinish) {
  const TempFolder folder;
  write_bytes(folder / GetParam(), "old");
  {
    const auto sink = open_sink(folder / GetParam(), options(frames()));
    for (int64_t t = 0; t < frames(); ++t) sink->write(moving_frame(t, 48, 64));
    EXPECT_EQ(bytes_of(folder / GetParam()), "old");
  }
  EXPECT_EQ(folder.names(), std::vector<std::string>{GetParam()});
  EXPECT_EQ(bytes_of(folder / GetParam()), "old");
}

TEST_P(EveryFormat, AMissingFrameIsNoFile) {
  const TempFolder folder;
  {
    const auto sink = open_sink(folder / GetParam(), options(frames()));
    EXPECT_ERROR(sink->finish(), ErrorKind::internal, "expected", "found 0");
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST_P(EveryFormat, WrongFramesAreRefused) {
  const TempFolder folder;
  const auto sink = open_sink(folder / GetParam(), options(frames()));
  EXPECT_ERROR(sink->write(moving_frame(0, 64, 48)), ErrorKind::shape, "[3, 48, 64]");
  EXPECT_ERROR(sink->write(moving_frame(0, 48, 64).to(at::kFloat)), ErrorKind::shape, "uint8");
  for (int64_t t = 0; t < frames(); ++t) sink->write(moving_frame(t, 48, 64));
  EXPECT_ERROR(sink->write(moving_frame(0, 48, 64)), ErrorKind::internal, "found more");
}

// E01: a full disk, imitated by a limit of the file size, at every stage of the writing.
TEST_P(EveryFormat, AFullDiskIsOneLineAndLeavesNothing) {
  ::signal(SIGXFSZ, SIG_IGN);
  const TempFolder folder;
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  for (const rlim_t limit : {0, 20, 300}) {
    const rlimit small = {limit, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const Caught error = caught([&] {
      const auto sink = open_sink(folder / GetParam(), options(frames()));
      for (int64_t t = 0; t < frames(); ++t) sink->write(moving_frame(t, 48, 64));
      sink->finish();
    });
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_TRUE(error.thrown) << limit;
    EXPECT_EQ(error.kind, ErrorKind::io) << error.text;
    EXPECT_NE(error.text.find("cannot write"), std::string::npos) << error.text;
    EXPECT_TRUE(folder.names().empty()) << limit;
  }
}

TEST_P(EveryFormat, AMissingFolderIsSaidWhenOpening) {
  const TempFolder folder;
  EXPECT_ERROR(open_sink(folder / "none" / GetParam(), options(frames())), ErrorKind::io, "none");
}

INSTANTIATE_TEST_SUITE_P(Names, EveryFormat,
                         testing::Values("a.mp4", "a.mov", "a.mkv", "a.webm", "a.gif", "a.webp", "a.apng", "one.png",
                                         "one.jpg"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(Sequence, NothingIsThereBeforeFinish) {
  const TempFolder folder;
  {
    const auto sink = open_sink(folder / "f_%04d.png", options(3));
    sink->write(moving_frame(0, 48, 64));
    EXPECT_FALSE(std::filesystem::exists(folder / "f_0000.png"));
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST(Options, AreCheckedWhenOpening) {
  const TempFolder folder;
  const auto with = [&](const char* name, auto change) {
    SinkOptions changed = options(4);
    change(changed);
    open_sink(folder / name, changed);
  };
  EXPECT_ERROR(with("a.mp4", [](auto& o) { o.crf = 52; }), ErrorKind::usage, "0 to 51", "52");
  EXPECT_ERROR(with("a.webm", [](auto& o) { o.crf = 64; }), ErrorKind::usage, "0 to 63", "64");
  EXPECT_ERROR(with("a.gif", [](auto& o) { o.crf = 20; }), ErrorKind::usage, "--crf");
  EXPECT_ERROR(with("a.mp4", [](auto& o) { o.fps = 0; }), ErrorKind::usage, "frames a second");
  EXPECT_ERROR(with("a.mp4", [](auto& o) { o.fps = std::nan(""); }), ErrorKind::usage, "nan");
  EXPECT_ERROR(with("a.mp4", [](auto& o) { o.fps = 1e9; }), ErrorKind::usage, "1000");
  EXPECT_ERROR(with("a.gif", [](auto& o) { o.fps = 60; }), ErrorKind::usage, "50");
  EXPECT_ERROR(with("a.mp4", [](auto& o) { o.frames = 0; }), ErrorKind::usage, "at least one frame");
  EXPECT_ERROR(with("a.mp4", [](auto& o) { o.width = 70000; }), ErrorKind::io, "65535");
  EXPECT_ERROR(with("a.webp", [](auto& o) { o.width = 16384; }), ErrorKind::usage, "16383");
  EXPECT_ERROR(with("a.png", [](auto& o) { o.settings_json = std::string(2 << 20, 'x'), o.frames = 1; }), ErrorKind::io,
               "1048576");
  EXPECT_TRUE(folder.names().empty());
}

TEST(Encoder, AMissingOneIsNamed) {
  EXPECT_ERROR(require_encoder("libx2640", "out.mp4"), ErrorKind::unsupported, "out.mp4", "libx2640", "hint");
}

// A11: names that programs trip over.
TEST(A11, OddNamesWork) {
  const TempFolder folder;
  for (const char* name : {"with space.mp4", "-dash.mp4", "new\nline.mkv", "file:colon.mp4", "\xE5\x9C\x96.webm",
                           "bad\xFF.mov", "pipe:1.gif", "a'b\"c.webp", "q?x=1&y#z.mp4", "http:__x.mkv", "[1].apng"}) {
    const auto sink = open_sink(folder / name, options(2));
    for (int64_t t = 0; t < 2; ++t) sink->write(moving_frame(t, 48, 64));
    sink->finish();
    EXPECT_EQ(read_video(folder / name).frames.size(0), 2) << name;
    EXPECT_EQ(read_settings(folder / name), "{}") << name;
  }
  EXPECT_EQ(folder.names().size(), 11u);
}

TEST(A11, ARelativeNameWithADashWorks) {
  const TempFolder folder;
  const auto home = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const auto sink = open_sink("-o.mp4", options(1));
  sink->write(moving_frame(0, 48, 64));
  sink->finish();
  EXPECT_EQ(read_video("-o.mp4").frames.size(0), 1);
  std::filesystem::current_path(home);
}

}  // namespace
}  // namespace keyflow::media
