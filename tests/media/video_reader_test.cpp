#include "media/video_reader.h"

extern "C" {
#include <libavcodec/codec_par.h>
#include <libavformat/avformat.h>
}

#include <ATen/ops/rot90.h>
#include <gtest/gtest.h>

#include <random>

#include "media/bytes.h"
#include "media/frame_sink.h"
#include "media/jpeg_file.h"
#include "media/libav.h"
#include "media/sample_media.h"

namespace keyflow::media {
namespace {

using namespace std::string_view_literals;

std::string video_bytes(const std::string& extension, int64_t frames = 8) {
  const TempFolder folder;
  const auto path = folder / ("a" + extension);
  const auto sink = open_sink(path, {.width = 64, .height = 48, .frames = frames});
  for (int64_t t = 0; t < frames; ++t) sink->write(moving_frame(t, 48, 64));
  sink->finish();
  return bytes_of(path);
}

Video read_bytes(const TempFolder& folder, std::string_view bytes) {
  write_bytes(folder / "v", bytes);
  return read_video(folder / "v");
}

class Containers : public testing::TestWithParam<const char*> {};

// M07: FFmpeg itself plays a cut file up to the cut without a word.
TEST_P(Containers, CutAnywhereIsSaid) {
  const TempFolder folder;
  const std::string file = video_bytes(GetParam());
  ASSERT_EQ(read_bytes(folder, file).frames.size(0), 8);
  for (size_t k = 0; k < 32; ++k) {
    EXPECT_ERROR(read_bytes(folder, std::string_view(file).substr(0, file.size() * k / 32)), ErrorKind::io, "/v: ");
  }
  EXPECT_ERROR(read_bytes(folder, std::string_view(file).substr(0, file.size() - 1)), ErrorKind::io, "cut short");
}

TEST_P(Containers, FlippedBytesNeverCrash) {
  const TempFolder folder;
  const std::string file = video_bytes(GetParam(), 4);
  std::mt19937 engine(3);
  for (int k = 0; k < 60; ++k) {
    std::string damaged = file;
    for (int n = 0; n < 4; ++n) damaged[engine() % damaged.size()] = static_cast<char>(engine());
    try {
      const Video video = read_bytes(folder, damaged);
      EXPECT_EQ(video.frames.dim(), 4);
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(M07, Containers, testing::Values(".mp4", ".mkv", ".webm", ".gif", ".apng", ".webp"),
                         [](const auto& info) { return std::string(info.param + 1); });

/// Overwrites the four bytes at `offset` behind the name of a box.
std::string patched(std::string file, std::string_view box, size_t offset, uint32_t value) {
  const size_t at = file.find(box);
  require(at != std::string::npos, ErrorKind::internal, "no box ", std::string(box));
  std::string bytes;
  put_be32(bytes, value);
  return file.replace(at + 4 + offset, 4, bytes);
}

constexpr size_t kMdhdTimescale = 12, kMdhdDuration = 16, kStszCount = 8, kTableCount = 4, kTkhdMatrix = 40;

TEST(M07, LyingTimesAreRefusedOrIgnored) {
  const TempFolder folder;
  const std::string file = video_bytes(".mp4");
  EXPECT_ERROR(read_bytes(folder, patched(file, "mdhd", kMdhdTimescale, 0x7FFFFFFF)), ErrorKind::io, "frame rate");
  EXPECT_EQ(read_bytes(folder, patched(file, "mdhd", kMdhdDuration, 0x7FFFFFFF)).frames.size(0), 8);
  const Caught zero = caught([&] { read_bytes(folder, patched(file, "mdhd", kMdhdTimescale, 0)); });
  EXPECT_TRUE(!zero.thrown || zero.kind == ErrorKind::io) << zero.text;
}

TEST(M07, NoFrames) {
  const TempFolder folder;
  std::string file = patched(video_bytes(".mp4"), "stsz", kStszCount, 0);
  for (const std::string_view table : {"stts"sv, "stsc"sv, "stco"sv, "stss"sv}) {
    file = patched(file, table, kTableCount, 0);
  }
  EXPECT_ERROR(read_bytes(folder, file), ErrorKind::io, "/v: ");
}

TEST(M07, ManySamplesThatAreNotThere) {
  const TempFolder folder;
  EXPECT_ERROR(read_bytes(folder, patched(video_bytes(".mp4"), "stsz", kStszCount, 0x10000000)), ErrorKind::io, "/v: ");
}

/// An AVI of JPEG pictures, written packet by packet: the one way to have frames of several sizes.
void write_avi(const std::filesystem::path& path, const std::vector<at::Tensor>& frames) {
  AVFormatContext* output = nullptr;
  ASSERT_GE(avformat_alloc_output_context2(&output, nullptr, "avi", path.c_str()), 0);
  AVStream* stream = avformat_new_stream(output, nullptr);
  stream->time_base = {1, 10};
  stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
  stream->codecpar->codec_id = AV_CODEC_ID_MJPEG;
  stream->codecpar->width = static_cast<int>(frames[0].size(2));
  stream->codecpar->height = static_cast<int>(frames[0].size(1));
  ASSERT_GE(avio_open(&output->pb, path.c_str(), AVIO_FLAG_WRITE), 0);
  ASSERT_GE(avformat_write_header(output, nullptr), 0);
  for (size_t t = 0; t < frames.size(); ++t) {
    std::string jpeg = encode_jpeg(frames[t], {});
    const PacketPtr packet = make_packet();
    ASSERT_GE(av_new_packet(packet.get(), static_cast<int>(jpeg.size())), 0);
    std::copy(jpeg.begin(), jpeg.end(), packet->data);
    packet->pts = packet->dts = static_cast<int64_t>(t);
    packet->flags |= AV_PKT_FLAG_KEY;
    ASSERT_GE(av_write_frame(output, packet.get()), 0);
  }
  ASSERT_GE(av_write_trailer(output), 0);
  avio_closep(&output->pb);
  avformat_free_context(output);
}

TEST(M07, ASizeThatChangesIsSaid) {
  const TempFolder folder;
  write_avi(folder / "a.avi", {moving_frame(0, 48, 64), moving_frame(1, 48, 64), moving_frame(2, 64, 80)});
  EXPECT_ERROR(read_video(folder / "a.avi"), ErrorKind::io, "frame 2", "64x48", "80x64");
}

TEST(Avi, OfJpegPicturesIsRead) {
  const TempFolder folder;
  write_avi(folder / "a.avi", {moving_frame(0, 48, 64), moving_frame(1, 48, 64)});
  const Video video = read_video(folder / "a.avi");
  ASSERT_EQ(video.frames.size(0), 2);
  EXPECT_NEAR(video.fps, 10, 1e-6);
  EXPECT_GE(psnr_db(video.frames[1], moving_frame(1, 48, 64)), 38);
}

TEST(Rotation, QuarterTurnsAreApplied) {
  const TempFolder folder;
  const std::string file = video_bytes(".mp4", 2);
  const at::Tensor upright = read_bytes(folder, file).frames;
  // What a telephone held upright writes: a, b, c, d of the matrix in 16.16, to be turned clockwise by 90 degrees.
  std::string turned = patched(file, "tkhd", kTkhdMatrix, 0);
  turned = patched(turned, "tkhd", kTkhdMatrix + 4, 0x00010000);
  turned = patched(turned, "tkhd", kTkhdMatrix + 12, 0xFFFF0000);
  turned = patched(turned, "tkhd", kTkhdMatrix + 16, 0);
  const at::Tensor frames = read_bytes(folder, turned).frames;
  ASSERT_EQ(frames.sizes(), at::IntArrayRef({2, 3, 64, 48}));
  EXPECT_EQ(largest_difference(frames, at::rot90(upright, -1, {2, 3})), 0);
}

TEST(Reader, OpensNoPlaylists) {
  const TempFolder folder;
  EXPECT_ERROR(read_bytes(folder, "#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"), ErrorKind::io, "found text");
  EXPECT_ERROR(read_bytes(folder, "ffconcat version 1.0\nfile '/etc/passwd'\n"), ErrorKind::io, "found text");
  EXPECT_ERROR(open_video(folder.path()), ErrorKind::io, "a folder");
  EXPECT_ERROR(read_bytes(folder, encode_jpeg(moving_frame(0, 8, 8), {})), ErrorKind::io, "found a JPEG picture");
}

TEST(Reader, LimitsHold) {
  const TempFolder folder;
  write_bytes(folder / "v", video_bytes(".mp4"));
  EXPECT_ERROR(read_video(folder / "v", {.frames = 3}), ErrorKind::io, "at most 3 frames", "frame 3");
  EXPECT_ERROR(read_video(folder / "v", {.bytes = 20'000}), ErrorKind::io, "20000 bytes", "frame 2");
}

struct RealVideo {
  const char* file;
  int64_t frames, height, width;
  double fps;
};

class RealVideos : public testing::TestWithParam<RealVideo> {};

TEST_P(RealVideos, HaveTheirFrames) {
  const auto path = std::filesystem::path(KEYFLOW_SHARED_DATA) / GetParam().file;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the shared data folder";
  const auto reader = open_video(path);
  EXPECT_EQ(reader->height(), GetParam().height);
  EXPECT_EQ(reader->width(), GetParam().width);
  EXPECT_NEAR(reader->fps(), GetParam().fps, 0.01);
  int64_t frames = 0;
  while (const auto frame = reader->next()) {
    EXPECT_EQ(frame->sizes(), at::IntArrayRef({3, GetParam().height, GetParam().width}));
    ++frames;
  }
  EXPECT_EQ(frames, GetParam().frames);
}

INSTANTIATE_TEST_SUITE_P(Shared, RealVideos,
                         testing::Values(RealVideo{"video/Wan2.1_1.3B_t2v.mp4", 33, 480, 832, 24},
                                         RealVideo{"video/Wan2.1_14B_i2v.mp4", 33, 832, 480, 16},
                                         RealVideo{"video/Wan2.1_14B_flf2v.mp4", 33, 832, 480, 16},
                                         RealVideo{"video/Wan2.2_14B_flf2v.mp4", 33, 832, 480, 16},
                                         RealVideo{"wan_latent/decoded_taew2_1.mp4", 81, 480, 832, 30}));

}  // namespace
}  // namespace keyflow::media
