#include "media/resize.h"

#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "media/sample_media.h"

namespace keyflow::media {
namespace {

const std::filesystem::path kReference = KEYFLOW_BINARY_DIR "/reference/media";

struct Size {
  int64_t height, width;
  std::string text() const { return std::to_string(height) + "x" + std::to_string(width); }
};

class ResizeParity : public testing::TestWithParam<Size> {
 protected:
  at::Tensor source() const { return read_ppm(kReference / "resize/source.ppm"); }
  at::Tensor expected(const std::string& name) const {
    return read_ppm(kReference / "resize" / (name + "_" + GetParam().text() + ".ppm"));
  }
};

TEST_P(ResizeParity, LanczosEqualsPillow) {
  const auto [height, width] = GetParam();
  EXPECT_EQ(largest_difference(resize_lanczos_pil(source(), height, width), expected("lanczos")), 0);
}

TEST_P(ResizeParity, BicubicEqualsPillow) {
  const auto [height, width] = GetParam();
  EXPECT_EQ(largest_difference(resize_bicubic_pil(source(), height, width), expected("bicubic")), 0);
}

TEST_P(ResizeParity, CoverCropEqualsPillowResizeAndCrop) {
  const auto [height, width] = GetParam();
  const at::Tensor cropped = cover_crop_uint8(source(), height, width);
  EXPECT_EQ(largest_difference(cropped, expected("cover")), 0);
  EXPECT_EQ(largest_difference(cover_crop(source(), height, width), to_signed(cropped)), 0);
}

TEST_P(ResizeParity, BicubicEqualsTorch) {
  const auto [height, width] = GetParam();
  const at::Tensor reference =
      read_raw(kReference / "resize" / ("bicubic_torch_" + GetParam().text() + ".f32"), at::kFloat, {3, height, width});
  EXPECT_LE(largest_difference(resize_bicubic_torch(source(), height, width), reference), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ResizeParity,
                         testing::Values(Size{64, 96}, Size{120, 77}, Size{50, 201}, Size{301, 402}, Size{7, 5},
                                         Size{1, 300}, Size{40, 190}),
                         [](const auto& info) { return info.param.text(); });

TEST(ClipCrop, EqualsTransformers) {
  const at::Tensor source = read_ppm(kReference / "resize/source.ppm");
  for (const int64_t edge : {224, 33}) {
    const at::Tensor expected = read_ppm(kReference / "resize" / ("clip_" + std::to_string(edge) + ".ppm"));
    EXPECT_EQ(largest_difference(clip_crop_pil(source, edge), expected), 0) << edge;
  }
}

TEST(Quantize, EqualsTheOfficialPrograms) {
  const at::Tensor values = read_raw(kReference / "values.f32", at::kFloat, {4096});
  const at::Tensor truncated = read_raw(kReference / "truncate.u8", at::kByte, {4096});
  const at::Tensor nearest = read_raw(kReference / "nearest.u8", at::kByte, {4096});
  EXPECT_EQ(largest_difference(to_uint8(values, Quantize::truncate), truncated), 0);
  EXPECT_EQ(largest_difference(to_uint8(values, Quantize::nearest), nearest), 0);
  EXPECT_GT(largest_difference(truncated, nearest), 0);
}

TEST(Quantize, BytesSurviveTheWayThereAndBack) {
  const at::Tensor bytes = at::linspace(0, 255, 256).to(at::kByte);
  EXPECT_EQ(largest_difference(to_uint8(to_signed(bytes), Quantize::nearest), bytes), 0);
}

TEST(CoverCrop, SameSizeChangesNothing) {
  const at::Tensor rgb = moving_frame(0, 31, 45);
  EXPECT_EQ(largest_difference(cover_crop_uint8(rgb, 31, 45), rgb), 0);
}

TEST(CoverCrop, KeepsTheCentre) {
  at::Tensor wide = at::full({3, 20, 100}, 10, at::kByte);
  wide.narrow(2, 40, 20).fill_(200);
  EXPECT_EQ(cover_crop_uint8(wide, 20, 20).min().item<int>(), 200);
}

// Covering 832x480 with it would take a picture of 31 million by 480; only the part that is kept may be computed.
TEST(CoverCrop, ExtremeAspectStaysSmall) {
  const at::Tensor strip = at::randint(0, 256, {3, 1, 65535}, at::kByte);
  EXPECT_EQ(cover_crop_uint8(strip, 480, 832).sizes(), at::IntArrayRef({3, 480, 832}));
}

TEST(Resize, RefusesWhatIsNoPicture) {
  const at::Tensor rgb = moving_frame(0, 8, 8);
  EXPECT_ERROR(resize_lanczos_pil(rgb.to(at::kFloat), 4, 4), ErrorKind::shape, "uint8");
  EXPECT_ERROR(cover_crop(rgb, 0, 4), ErrorKind::shape, "4x0");
  EXPECT_ERROR(resize_bicubic_torch(rgb, 1 << 20, 1 << 20), ErrorKind::shape, "65535");
  EXPECT_ERROR(clip_crop_pil(rgb.narrow(0, 0, 1), 4), ErrorKind::shape, "rgb");
}

}  // namespace
}  // namespace keyflow::media
