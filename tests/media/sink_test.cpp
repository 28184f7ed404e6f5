#include "media/frame_sink.h"

extern "C" {
#include <libavcodec/codec_par.h>
#include <libavformat/avformat.h>
}

#include <gtest/gtest.h>
#include <malloc.h>

#include "media/libav_input.h"
#include "media/picture.h"
#include "media/sample_media.h"
#include "media/settings.h"
#include "media/video_reader.h"

namespace keyflow::media {
namespace {

constexpr const char* kSettings = R"({"prompt": "ein Ährenfeld \"im Wind\"", "seed": 42, "steps": [1, 2]})";

SinkOptions options(int64_t frames, int64_t height, int64_t width) {
  return {.width = width, .height = height, .fps = 16, .frames = frames, .settings_json = kSettings};
}

void write_frames(const std::filesystem::path& path, const SinkOptions& options) {
  const auto sink = open_sink(path, options);
  for (int64_t t = 0; t < options.frames; ++t) sink->write(moving_frame(t, options.height, options.width));
  sink->finish();
}

struct Format {
  const char* extension;
  int64_t height, width;
  double min_psnr_db;
};

class RoundTrip : public testing::TestWithParam<Format> {};

TEST_P(RoundTrip, FramesRateAndSettingsComeBack) {
  const auto [extension, height, width, min_psnr_db] = GetParam();
  const TempFolder folder;
  const auto path = folder / (std::string("out") + extension);
  write_frames(path, options(9, height, width));
  EXPECT_EQ(folder.names(), std::vector<std::string>{path.filename().string()});
  const Video video = read_video(path);
  ASSERT_EQ(video.frames.sizes(), at::IntArrayRef({9, 3, height, width}));
  // GIF counts in hundredths: nine frames of 6.25 end after 56.
  EXPECT_NEAR(video.fps, 16, 0.3);
  for (int64_t t = 0; t < 9; ++t) EXPECT_GE(psnr_db(video.frames[t], moving_frame(t, height, width)), min_psnr_db) << t;
  EXPECT_EQ(read_settings(path), kSettings);
}

TEST_P(RoundTrip, SameFramesGiveTheSameBytes) {
  const auto [extension, height, width, min_psnr_db] = GetParam();
  const TempFolder folder;
  const auto a = folder / (std::string("a") + extension), b = folder / (std::string("b") + extension);
  // Fresh memory filled with two values: an encoder that reads what it has not written shows itself.
  ::mallopt(M_PERTURB, 0x55);
  write_frames(a, options(9, height, width));
  ::mallopt(M_PERTURB, 0xA3);
  write_frames(b, options(9, height, width));
  ::mallopt(M_PERTURB, 0);
  EXPECT_TRUE(bytes_of(a) == bytes_of(b));
}

INSTANTIATE_TEST_SUITE_P(
    Formats, RoundTrip,
    testing::Values(Format{".mp4", 48, 64, 40}, Format{".mp4", 49, 65, 41}, Format{".mov", 48, 64, 40},
                    Format{".mkv", 47, 64, 41}, Format{".webm", 48, 64, 36}, Format{".webm", 49, 65, 36},
                    Format{".gif", 48, 64, 29}, Format{".gif", 49, 65, 29}, Format{".webp", 48, 64, 36},
                    Format{".webp", 49, 65, 36}, Format{".apng", 48, 64, 100}, Format{".apng", 49, 65, 100}),
    [](const auto& info) { return std::string(info.param.extension + 1) + "_" + std::to_string(info.param.width); });

class OneFrame : public testing::TestWithParam<std::pair<const char*, double>> {};

TEST_P(OneFrame, IsAPictureWithSettings) {
  const auto [name, min_psnr_db] = GetParam();
  const TempFolder folder;
  write_frames(folder / name, options(1, 33, 47));
  const Picture picture = read_picture(folder / name);
  EXPECT_EQ(picture.note, "");
  EXPECT_GE(psnr_db(picture.rgb, moving_frame(0, 33, 47)), min_psnr_db);
  EXPECT_EQ(read_settings(folder / name), kSettings);
  EXPECT_EQ(folder.names(), std::vector<std::string>{name});
}

INSTANTIATE_TEST_SUITE_P(Names, OneFrame,
                         testing::Values(std::pair{"o.png", 100.0}, std::pair{"o.JPG", 38.0}, std::pair{"o.jpeg", 38.0},
                                         std::pair{"o.webp", 34.0}, std::pair{"o.gif", 30.0},
                                         std::pair{"o.apng", 100.0}));

TEST(Sequence, IsNumberedFromZero) {
  const TempFolder folder;
  write_frames(folder / "f_%03d.png", options(3, 8, 12));
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"f_000.png", "f_001.png", "f_002.png"}));
  EXPECT_EQ(largest_difference(read_picture(folder / "f_002.png").rgb, moving_frame(2, 8, 12)), 0);
  EXPECT_EQ(read_settings(folder / "f_001.png"), kSettings);
}

TEST(Mp4, HasItsIndexInFront) {
  const TempFolder folder;
  write_frames(folder / "a.mp4", options(5, 64, 64));
  const std::string bytes = bytes_of(folder / "a.mp4");
  ASSERT_NE(bytes.find("moov"), std::string::npos);
  EXPECT_LT(bytes.find("moov"), bytes.find("mdat"));
}

class Tags : public testing::TestWithParam<const char*> {};

TEST_P(Tags, SayBt709LimitedRange) {
  const TempFolder folder;
  const auto path = folder / (std::string("a") + GetParam());
  write_frames(path, options(5, 64, 80));
  const bool is_box_file = std::string(GetParam()) == ".mp4" || std::string(GetParam()) == ".mov";
  const InputPtr input = open_input(path, is_box_file ? "mov" : "matroska");
  ASSERT_GE(avformat_find_stream_info(input.get(), nullptr), 0);
  const AVCodecParameters& stream = *input->streams[0]->codecpar;
  EXPECT_EQ(stream.color_space, AVCOL_SPC_BT709);
  EXPECT_EQ(stream.color_primaries, AVCOL_PRI_BT709);
  EXPECT_EQ(stream.color_trc, AVCOL_TRC_BT709);
  EXPECT_EQ(stream.color_range, AVCOL_RANGE_MPEG);
  EXPECT_EQ(stream.format, AV_PIX_FMT_YUV420P);
  EXPECT_EQ(av_dict_get(input->metadata, "creation_time", nullptr, 0), nullptr);
  // Matroska must name its writer; without a version the bytes do not depend on it.
  const AVDictionaryEntry* encoder = av_dict_get(input->metadata, "encoder", nullptr, 0);
  EXPECT_STREQ(encoder ? encoder->value : "Lavf", "Lavf");
  EXPECT_NEAR(av_q2d(input->streams[0]->avg_frame_rate), 16, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Formats, Tags, testing::Values(".mp4", ".mov", ".mkv", ".webm"),
                         [](const auto& info) { return std::string(info.param + 1); });

// The colours of a conversion with the wrong matrix or range are off by 5 to 20; crf 0 leaves only rounding.
TEST(Mp4, PureColoursSurvive) {
  const TempFolder folder;
  SinkOptions lossless = options(1, 16, 16);
  lossless.crf = 0;
  at::Tensor frame = moving_frame(0, 16, 16);
  for (const auto& colour : {std::array{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}, {12, 200, 99}}) {
    for (int64_t c = 0; c < 3; ++c) frame[c].fill_(colour[static_cast<size_t>(c)]);
    const auto sink = open_sink(folder / "a.mp4", lossless);
    sink->write(frame);
    sink->finish();
    EXPECT_LE(largest_difference(read_video(folder / "a.mp4").frames[0], frame), 2) << colour[0] << " " << colour[1];
  }
}

TEST(Mp4, OddSizesAreSaid) {
  const TempFolder folder;
  EXPECT_NE(open_sink(folder / "a.mp4", options(1, 17, 16))->note().find("yuv444p"), std::string::npos);
  EXPECT_EQ(open_sink(folder / "a.mp4", options(1, 16, 16))->note(), "");
  EXPECT_EQ(open_sink(folder / "a.webm", options(1, 17, 17))->note(), "");
}

TEST(Mp4, CrfChangesTheSize) {
  const TempFolder folder;
  SinkOptions coarse = options(9, 48, 64);
  coarse.crf = 40;
  write_frames(folder / "coarse.mp4", coarse);
  write_frames(folder / "fine.mp4", options(9, 48, 64));
  EXPECT_LT(std::filesystem::file_size(folder / "coarse.mp4"), std::filesystem::file_size(folder / "fine.mp4") / 2);
}

TEST(Rates, FractionsComeBack) {
  const TempFolder folder;
  for (const double fps : {15.53, 23.976, 8.0, 60.0}) {
    SinkOptions rate = options(9, 32, 32);
    rate.fps = fps;
    for (const char* name : {"a.mp4", "a.webm", "a.mkv"}) {
      write_frames(folder / name, rate);
      EXPECT_NEAR(read_video(folder / name).fps, fps, fps * 2e-3) << name;
    }
  }
}

TEST(Gif, FewColoursAreExact) {
  const TempFolder folder;
  at::Tensor frame = moving_frame(0, 20, 30);
  frame = frame.div(64, "floor").mul(64).to(at::kByte);
  SinkOptions two = options(2, 20, 30);
  const auto sink = open_sink(folder / "a.gif", two);
  sink->write(frame);
  sink->write(frame);
  sink->finish();
  const Video video = read_video(folder / "a.gif");
  ASSERT_EQ(video.frames.size(0), 2);
  EXPECT_EQ(largest_difference(video.frames[0], frame), 0);
  EXPECT_EQ(largest_difference(video.frames[1], frame), 0);
}

}  // namespace
}  // namespace keyflow::media
