#include "media/settings.h"

#include <gtest/gtest.h>

#include "media/frame_sink.h"
#include "media/jpeg_file.h"
#include "media/picture.h"
#include "media/sample_media.h"

namespace keyflow::media {
namespace {

class LargeSettings : public testing::TestWithParam<const char*> {};

// Longer than one JPEG segment, one GIF sub-block and the entries of an EXIF directory; with every kind of character.
TEST_P(LargeSettings, ComeBackWhole) {
  std::string settings = "{\"prompt\": \"";
  while (settings.size() < 200'000) settings += "\xE9\xBB\x84\xE6\x98\x8F \xF0\x9F\x8C\x8A \\n <tag>&amp; 'q' %s ";
  settings += "\",\n \"n\": 1}";
  const TempFolder folder;
  const auto path = folder / GetParam();
  const auto sink = open_sink(path, {.width = 32, .height = 32, .frames = 1, .settings_json = settings});
  sink->write(moving_frame(0, 32, 32));
  sink->finish();
  EXPECT_TRUE(read_settings(path) == settings) << read_settings(path).size() << " of " << settings.size() << " bytes";
}

INSTANTIATE_TEST_SUITE_P(Names, LargeSettings,
                         testing::Values("a.mp4", "a.mov", "a.mkv", "a.webm", "a.gif", "a.webp", "a.apng", "a.png",
                                         "a.jpg"),
                         [](const auto& info) { return std::string(info.param + 2); });

TEST(M08, APictureWithoutSettings) {
  const TempFolder folder;
  write_png(folder / "a.png", moving_frame(0, 8, 8));
  EXPECT_ERROR(read_settings(folder / "a.png"), ErrorKind::io, "a.png", "found none");
  write_bytes(folder / "a.jpg", encode_jpeg(moving_frame(0, 8, 8), "made with a camera"));
  EXPECT_ERROR(read_settings(folder / "a.jpg"), ErrorKind::io, "a.jpg", "another comment");
}

TEST(M08, TenMegabytesOfText) {
  const TempFolder folder;
  write_bytes(folder / "a.jpg", encode_jpeg(moving_frame(0, 8, 8), "{" + std::string(10'000'000, 'x')));
  EXPECT_ERROR(read_settings(folder / "a.jpg"), ErrorKind::io, "1048576", "10000001");
}

TEST(M08, FilesThatCannotCarryThem) {
  const TempFolder folder;
  write_bytes(folder / "a.png", "{\"seed\": 1}");
  EXPECT_ERROR(read_settings(folder / "a.png"), ErrorKind::io, "found text");
  EXPECT_ERROR(read_settings(folder / "missing.mp4"), ErrorKind::io, "missing.mp4");
}

TEST(M08, TheRealVideosHaveNone) {
  const std::filesystem::path path = KEYFLOW_SHARED_DATA "/video/Wan2.1_1.3B_t2v.mp4";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the shared data folder";
  EXPECT_ERROR(read_settings(path), ErrorKind::io, "Wan2.1_1.3B_t2v.mp4");
}

}  // namespace
}  // namespace keyflow::media
