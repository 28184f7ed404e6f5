#include <ATen/ops/flip.h>
#include <gtest/gtest.h>

#include "media/bytes.h"
#include "media/picture.h"
#include "media/sample_media.h"

namespace keyflow::media {
namespace {

using namespace std::string_view_literals;

constexpr int64_t kHeight = 3, kWidth = 5;

/// 24-bit TGA of a sample frame whose rows and columns run as the descriptor says.
std::string tga(uint8_t descriptor) {
  std::string out("\0\0\x02\0\0\0\0\0\0\0\0\0"sv);
  put_le16(out, kWidth);
  put_le16(out, kHeight);
  out += '\x18';
  out += static_cast<char>(descriptor);
  const at::Tensor frame = moving_frame(1, kHeight, kWidth);
  for (int64_t y = 0; y < kHeight; ++y) {
    for (int64_t x = 0; x < kWidth; ++x) {
      for (const int64_t c : {2, 1, 0}) out += static_cast<char>(frame[c][y][x].item<uint8_t>());
    }
  }
  return out;
}

TEST(Tga, FourOrigins) {
  const at::Tensor frame = moving_frame(1, kHeight, kWidth);
  const auto decoded = [](uint8_t descriptor) { return decode_picture(tga(descriptor), "f").rgb; };
  EXPECT_EQ(largest_difference(decoded(0x20), frame), 0);
  EXPECT_EQ(largest_difference(decoded(0x00), at::flip(frame, {1})), 0);
  EXPECT_EQ(largest_difference(decoded(0x30), at::flip(frame, {2})), 0);
  EXPECT_EQ(largest_difference(decoded(0x10), at::flip(frame, {1, 2})), 0);
}

std::string bmp_header(int32_t height, uint32_t bits, uint32_t compression, uint32_t colours) {
  std::string out = "BM";
  for (const uint32_t field : {0u, 0u, 54 + 4 * colours, 40u, 4u, static_cast<uint32_t>(height)}) put_le32(out, field);
  put_le16(out, 1);
  put_le16(out, bits);
  for (const uint32_t field : {compression, 0u, 0u, 0u, colours, 0u}) put_le32(out, field);
  return out;
}

TEST(Bmp, RunLengthsAreRead) {
  std::string file = bmp_header(2, 8, 1, 2);
  file += "\x10\x20\x30\0"sv;  // palette: blue, green, red
  file += "\x40\x50\x60\0"sv;
  file += "\x04\x01\0\0"sv;          // lower row: four of colour 1
  file += "\x01\0\x03\x01\0\x01"sv;  // upper row: one of colour 0, three of colour 1
  file += "\0\0\0\x01"sv;
  const at::Tensor rgb = decode_picture(file, "f").rgb;
  ASSERT_EQ(rgb.sizes(), at::IntArrayRef({3, 2, 4}));
  EXPECT_EQ(rgb[0][0][0].item<int>(), 0x30);
  EXPECT_EQ(rgb[0][0][1].item<int>(), 0x60);
  EXPECT_EQ(rgb[2][1][0].item<int>(), 0x40);
}

TEST(Bmp, RowsFromTheTop) {
  std::string rows;
  for (int k = 0; k < 24; ++k) rows += static_cast<char>(10 * k);
  const at::Tensor down = decode_picture(bmp_header(-2, 24, 0, 0) + rows, "f").rgb;
  const at::Tensor up = decode_picture(bmp_header(2, 24, 0, 0) + rows, "f").rgb;
  EXPECT_EQ(down[2][0][0].item<int>(), 0);
  EXPECT_EQ(largest_difference(down, at::flip(up, {1})), 0);
}

TEST(Bmp, WhatTheDecoderCannotDoIsSaid) {
  EXPECT_ERROR(decode_picture(bmp_header(2, 24, 4, 0) + std::string(64, 'x'), "f"), ErrorKind::io, "f: ");
  EXPECT_ERROR(decode_picture(bmp_header(2, 7, 0, 0) + std::string(64, 'x'), "f"), ErrorKind::io, "f: ");
}

}  // namespace
}  // namespace keyflow::media
