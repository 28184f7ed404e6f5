#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>

#include "media/bytes.h"
#include "media/exif.h"
#include "media/frame_sink.h"
#include "media/jpeg_file.h"
#include "media/picture.h"
#include "media/png_file.h"
#include "media/sample_media.h"

namespace keyflow::media {
namespace {

using namespace std::string_view_literals;

std::string random_bytes(size_t count) {
  std::mt19937 engine(11);
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += static_cast<char>(engine());
  return bytes;
}

/// A valid file of every kind that can be written without a reference program.
std::string valid_file(const std::string& kind) {
  if (kind == "bmp") {
    std::string out = "BM";
    for (const uint32_t field : {54u + 24 * 120, 0u, 54u, 40u, 40u, 24u}) put_le32(out, field);
    put_le16(out, 1);
    put_le16(out, 24);
    return out + std::string(24, '\0') + std::string(24 * 120, 'x');
  }
  if (kind == "tga") {
    return std::string("\0\0\x02\0\0\0\0\0\0\0\0\0\x28\0\x18\0\x18\0"sv) + std::string(24 * 40 * 3, 'x');
  }
  const TempFolder folder;
  const int64_t frames = kind == "png" || kind == "jpg" ? 1 : 3;
  const auto path = folder / ("a." + kind);
  const auto sink = open_sink(path, {.width = 40, .height = 24, .frames = frames, .settings_json = "{}"});
  for (int64_t t = 0; t < frames; ++t) sink->write(moving_frame(t, 24, 40));
  sink->finish();
  return bytes_of(path);
}

class Damaged : public testing::TestWithParam<const char*> {};

TEST_P(Damaged, TheWholeFileIsRead) {
  EXPECT_EQ(decode_picture(valid_file(GetParam()), "f").rgb.sizes(), at::IntArrayRef({3, 24, 40}));
}

// M02: no length gives a picture, and the message says what is wrong with the file.
TEST_P(Damaged, CutAnywhereIsSaid) {
  const std::string file = valid_file(GetParam());
  for (size_t k = 0; k < 64; ++k) {
    const std::string_view cut = std::string_view(file).substr(0, file.size() * k / 64);
    EXPECT_ERROR(decode_picture(cut, "f.png"), ErrorKind::io, "f.png: ");
  }
  EXPECT_ERROR(decode_picture(std::string_view(file).substr(0, file.size() / 2), "f"), ErrorKind::io, "cut short");
}

// Damage may go unnoticed where the format has no checksum, but then the size still holds.
TEST_P(Damaged, FlippedBytesNeverCrash) {
  const std::string file = valid_file(GetParam());
  std::mt19937 engine(5);
  for (int k = 0; k < 300; ++k) {
    std::string damaged = file;
    for (int n = 0; n < 1 + k % 3; ++n) damaged[engine() % damaged.size()] = static_cast<char>(engine());
    try {
      const at::Tensor rgb = decode_picture(damaged, "f").rgb;
      EXPECT_EQ(rgb.dim(), 3);
      EXPECT_LE(rgb.numel(), 3 * kMaxPixels);
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(M02, Damaged, testing::Values("png", "apng", "jpg", "webp", "gif", "bmp", "tga"));

TEST(M01, SignatureAndNoiseNamesTheOffset) {
  EXPECT_ERROR(decode_picture(std::string(png_signature()) + random_bytes(200), "noise.png"), ErrorKind::io,
               "noise.png", "offset");
  EXPECT_ERROR(decode_picture(random_bytes(4096), "noise"), ErrorKind::io, "expected a PNG, JPEG");
}

std::string png_with(uint32_t width, uint32_t height, std::string_view data) {
  std::string header;
  put_be32(header, width);
  put_be32(header, height);
  header += "\x08\x02\0\0\0"sv;
  return std::string(png_signature()) + make_png_chunk("IHDR", header) + make_png_chunk("IDAT", data) +
         make_png_chunk("IEND", {});
}

TEST(M03, SizesAreCheckedBeforeTheData) {
  const std::string data(100, 'x');
  EXPECT_ERROR(decode_picture(png_with(0, 0, data), "f"), ErrorKind::io, "0x0");
  EXPECT_ERROR(decode_picture(png_with(2147483647, 2147483647, data), "f"), ErrorKind::io, "2147483647", "134217728");
  EXPECT_ERROR(decode_picture(png_with(65536, 1, data), "f"), ErrorKind::io, "65536x1", "65535");
  EXPECT_ERROR(decode_picture(png_with(11000, 12000, data), "f"), ErrorKind::io, "11000x12000", "cannot hold");
  EXPECT_ERROR(decode_picture(png_with(20000, 20000, data), "f"), ErrorKind::io, "20000x20000", "134217728");
}

TEST(M03, MoreDataThanThePictureIsRefused) {
  EXPECT_ERROR(decode_picture(png_with(2, 2, std::string(1 << 20, 'x')), "f"), ErrorKind::io, "1048576");
}

TEST(M03, JpegHeaderThatPromisesTooMuch) {
  std::string file = valid_file("jpg");
  const size_t frame_header = file.find("\xFF\xC0"sv);
  ASSERT_NE(frame_header, std::string::npos);
  for (const size_t at : {frame_header + 5, frame_header + 7}) file[at] = '\x2C';
  EXPECT_ERROR(decode_picture(file, "f"), ErrorKind::io, "cannot hold");
  for (const size_t at : {frame_header + 5, frame_header + 7}) file[at] = '\xFF';
  EXPECT_ERROR(decode_picture(file, "f"), ErrorKind::io, "134217728");
}

TEST(M03, JpegOfManyScansIsRefused) {
  const std::string file = valid_file("jpg");
  const size_t scan = file.find("\xFF\xDA"sv);
  ASSERT_NE(scan, std::string::npos);
  const std::string one = file.substr(scan, file.size() - 2 - scan);
  std::string many = file.substr(0, scan);
  for (int k = 0; k < 300; ++k) many += one;
  EXPECT_ERROR(decode_picture(many + "\xFF\xD9", "f"), ErrorKind::io, "200 scans");
}

TEST(M03, WebpAndGifSizes) {
  std::string gif = valid_file("gif");
  gif[7] = gif[9] = '\xFF';
  EXPECT_ERROR(decode_picture(gif, "f"), ErrorKind::io, "134217728");
  gif[6] = gif[7] = '\0';
  EXPECT_ERROR(decode_picture(gif, "f"), ErrorKind::io, "0x");
}

struct Foreign {
  std::string_view bytes;
  const char* name;
};

TEST(M04, OtherFilesAreNamed) {
  const std::array files = {
      Foreign{"", "an empty file"},
      Foreign{"hello\n", "text"},
      Foreign{"<!DOCTYPE html><html></html>", "an HTML page"},
      Foreign{"  <html><body></body></html>", "an HTML page"},
      Foreign{"<?xml version=\"1.0\"?><svg xmlns=\"x\"/>", "an SVG drawing"},
      Foreign{"%PDF-1.7\n%\xE2\xE3", "a PDF document"},
      Foreign{"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"},
      Foreign{"II*\0\x08\0\0\0"sv, "a TIFF picture"},
      Foreign{"\0\0\0\x1C"
              "ftypavif\0\0\0\0"sv,
              "an AVIF picture"},
      Foreign{"\0\0\0\x1C"
              "ftypisom\0\0\0\0"sv,
              "an MP4 or MOV video"},
      Foreign{"PK\x03\x04 and so on"sv, "a zip archive"},
      Foreign{"\x01\x02\x03\x04\x05"sv, "unknown data"},
  };
  for (const Foreign& file : files) {
    EXPECT_ERROR(decode_picture(file.bytes, "f.png"), ErrorKind::io, "f.png", file.name);
  }
}

TEST(M04, WhatIsNoFile) {
  const TempFolder folder;
  EXPECT_ERROR(read_picture(folder / "missing.png"), ErrorKind::io, "missing.png", "No such file");
  EXPECT_ERROR(read_picture(folder.path()), ErrorKind::io, "a folder");
  EXPECT_ERROR(read_picture("/dev/zero"), ErrorKind::io, "/dev/zero", "device");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(read_picture(folder / "pipe"), ErrorKind::io, "a pipe");
}

TEST(Exif, DamagedBlocksCountAsUpright) {
  std::string exif = make_exif("text");
  EXPECT_EQ(exif_description(exif), "text");
  EXPECT_EQ(exif_description(make_exif("{}")), "{}");
  EXPECT_EQ(exif_orientation(exif), 1);
  for (size_t cut = 0; cut < exif.size(); ++cut) {
    EXPECT_EQ(exif_orientation(std::string_view(exif).substr(0, cut)), 1);
    EXPECT_EQ(exif_description(std::string_view(exif).substr(0, cut)), "");
  }
  for (const size_t at : {4u, 14u, 18u}) {
    std::string damaged = exif;
    damaged[at + 3] = '\xFF';
    EXPECT_EQ(exif_description(damaged), "") << at;
  }
}

}  // namespace
}  // namespace keyflow::media
