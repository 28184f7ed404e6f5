#include "media/picture.h"

#include <gtest/gtest.h>

#include "media/sample_media.h"
#include "media/settings.h"

namespace keyflow::media {
namespace {

struct Case {
  const char* file;
  const char* note = "";
};

class ReadsAsPillow : public testing::TestWithParam<Case> {};

// M05: every kind of picture is read, and gives the bytes that Pillow gives.
TEST_P(ReadsAsPillow, SameBytes) {
  const auto path = std::filesystem::path(KEYFLOW_BINARY_DIR "/reference/media/pictures") / GetParam().file;
  const Picture picture = read_picture(path);
  const at::Tensor expected = read_ppm(path.string() + ".ppm");
  ASSERT_EQ(picture.rgb.sizes(), expected.sizes());
  EXPECT_EQ(largest_difference(picture.rgb, expected), 0);
  EXPECT_EQ(picture.note, GetParam().note);
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.file;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(M05, ReadsAsPillow,
                         testing::Values(Case{"rgb.png"}, Case{"rgba.png"}, Case{"grey.png"}, Case{"grey_alpha.png"},
                                         Case{"palette.png"}, Case{"palette_alpha.png"}, Case{"one_bit.png"},
                                         Case{"rgb16.png"}, Case{"grey16.png"}, Case{"rgba16.png"},
                                         Case{"interlaced.png"}, Case{"compressed_text.png"},
                                         Case{"animated.png", "first of 2 frames"}),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(M05Jpeg, ReadsAsPillow,
                         testing::Values(Case{"full_chroma.jpg"}, Case{"half_chroma.jpg"}, Case{"wide_chroma.jpg"},
                                         Case{"progressive.jpg"}, Case{"grey.jpg"}, Case{"cmyk.jpg"},
                                         Case{"jpeg_named.png"}),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(M05Orientation, ReadsAsPillow,
                         testing::Values(Case{"orientation_0.jpg"}, Case{"orientation_1.jpg"},
                                         Case{"orientation_2.jpg"}, Case{"orientation_3.jpg"},
                                         Case{"orientation_4.jpg"}, Case{"orientation_5.jpg"},
                                         Case{"orientation_6.jpg"}, Case{"orientation_7.jpg"},
                                         Case{"orientation_8.jpg"}, Case{"orientation_9.jpg"},
                                         Case{"orientation_65535.jpg"}, Case{"orientation_6.png"},
                                         Case{"orientation_6.webp"}),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(M05Others, ReadsAsPillow,
                         testing::Values(Case{"rgb.bmp"}, Case{"palette.bmp"}, Case{"one_bit.bmp"}, Case{"grey.bmp"},
                                         Case{"raw.tga"}, Case{"packed.tga"}, Case{"grey.tga"}, Case{"alpha.tga"},
                                         Case{"palette.tga"}, Case{"lossy.webp"}, Case{"lossless.webp"},
                                         Case{"alpha.webp"}, Case{"animated.webp", "first of 3 frames"},
                                         Case{"still.gif"}, Case{"animated.gif", "first of 12 frames"},
                                         Case{"transparent.gif"}),
                         name_of_case);

struct RealPicture {
  const char* file;
  int64_t height, width;
};

class RealPictures : public testing::TestWithParam<RealPicture> {};

TEST_P(RealPictures, HaveTheirSize) {
  const auto path = std::filesystem::path(KEYFLOW_SHARED_DATA "/images") / GetParam().file;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the shared data folder";
  const Picture picture = read_picture(path);
  EXPECT_EQ(picture.rgb.sizes(), at::IntArrayRef({3, GetParam().height, GetParam().width}));
  EXPECT_GT(picture.rgb.to(at::kFloat).std().item<float>(), 10);
}

INSTANTIATE_TEST_SUITE_P(Shared, RealPictures,
                         testing::Values(RealPicture{"wan2.1/flf2v_input_first_frame.png", 1024, 1024},
                                         RealPicture{"wan2.1/flf2v_input_last_frame.png", 1024, 1024},
                                         RealPicture{"wan2.1/i2v_input.JPG", 1104, 832},
                                         RealPicture{"wan2.1/snake.png", 1024, 1024},
                                         RealPicture{"ruyi/example_01.png", 538, 960},
                                         RealPicture{"ruyi/example_02.jpg", 4320, 7680},
                                         RealPicture{"ruyi/example_03.jpg", 774, 1072}));

TEST(WritePng, RoundTripIsExactAndRepeatable) {
  const TempFolder folder;
  const at::Tensor rgb = moving_frame(3, 33, 47);
  write_png(folder / "a.png", rgb, R"({"seed": 1, "prompt": "ein Ährenfeld"})");
  write_png(folder / "b.png", rgb, R"({"seed": 1, "prompt": "ein Ährenfeld"})");
  EXPECT_EQ(largest_difference(read_picture(folder / "a.png").rgb, rgb), 0);
  EXPECT_EQ(bytes_of(folder / "a.png"), bytes_of(folder / "b.png"));
  EXPECT_EQ(read_settings(folder / "a.png"), R"({"seed": 1, "prompt": "ein Ährenfeld"})");
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a.png", "b.png"}));
}

}  // namespace
}  // namespace keyflow::media
