#include <ATen/ops/empty_like.h>
#include <c10/core/InferenceMode.h>

#include "media/picture.h"
#include "media/resize.h"
#include "models/esrgan/load.h"
#include "models/esrgan/tiles.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/esrgan";
const fs::path kShared = KEYFLOW_SHARED_DATA;
const fs::path kPublished = kShared / "upscaler/realesr-animevideov3-x4.param";

at::Tensor of_case(const std::string& name, const char* tensor) {
  return weights::open_tensors(kReference / (name + ".safetensors"))->read(tensor);
}

esrgan::Network load(const std::string& name) { return esrgan::load(weights::open_tensors(kReference / name), {}); }

struct Row {
  std::string file, expected;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.file; }

class EsrganParity : public ::testing::TestWithParam<Row> {};

TEST_P(EsrganParity, IsTheNetworkOfThePaper) {
  const c10::InferenceMode guard;
  const esrgan::Network network = load(GetParam().file);
  const auto result =
      near(network(of_case(GetParam().expected, "pixels")), of_case(GetParam().expected, "large"), 1e-5);
  EXPECT_TRUE(result);
  RecordProperty("difference", result.message());
}

INSTANTIATE_TEST_SUITE_P(All, EsrganParity,
                         ::testing::Values(Row{"rrdb.pth", "rrdb_case"}, Row{"rrdb_first.pth", "rrdb_case"},
                                           Row{"rrdb_old.pth", "rrdb_case"},
                                           Row{"rrdb_prefixed.safetensors", "rrdb_case"},
                                           Row{"rrdb_fused.param", "rrdb_case"}, Row{"rrdb_plain.bin", "rrdb_case"},
                                           Row{"x2.pth", "x2_case"}, Row{"x2.pth", "x2_odd_case"},
                                           Row{"x1.pth", "x1_case"}, Row{"x8.pth", "x8_case"},
                                           Row{"compact.pth", "compact_case"}, Row{"compact.param", "compact_case"},
                                           Row{"compact_half.bin", "compact_half_case"}),
                         [](const auto& info) {
                           std::string name = std::to_string(info.index) + "_" + info.param.file;
                           for (char& c : name) {
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           }
                           return name;
                         });

TEST(EsrganPublished, TheRealWeightsGiveWhatAnotherReaderGives) {
  const c10::InferenceMode guard;
  if (!fs::exists(kPublished)) GTEST_SKIP() << "needs the shared data folder";
  const esrgan::Network network = esrgan::load(weights::open_tensors(kPublished), {});
  EXPECT_EQ(variant_of(network.config()), "realesr-animevideov3");
  for (const char* name : {"published_case", "published_picture"}) {
    const auto result = near(network(of_case(name, "pixels")), of_case(name, "large"), 1e-5);
    EXPECT_TRUE(result);
    RecordProperty(name, result.message());
  }
}

double psnr(const at::Tensor& actual, const at::Tensor& expected) {
  return -10 * std::log10((actual - expected).to(at::kDouble).square().mean().item<double>());
}

/// Mean step between neighbouring pixels, which blur makes small.
double gradient(const at::Tensor& rgb) {
  const at::Tensor grey = rgb.to(at::kFloat).mean(-3);
  return (grey.narrow(-2, 1, grey.size(-2) - 1) - grey.narrow(-2, 0, grey.size(-2) - 1)).abs().mean().item<double>() +
         (grey.narrow(-1, 1, grey.size(-1) - 1) - grey.narrow(-1, 0, grey.size(-1) - 1)).abs().mean().item<double>();
}

at::Tensor unit(const at::Tensor& rgb) { return rgb.to(at::kFloat) / 255; }

/// Drawn pictures made four times smaller come back better than by interpolation: nearer to what they were, and as
/// sharp. Measured: 1.1 dB above bicubic for each of the two, 96 and 88 % of the true gradient against 82 and 74 %.
TEST(EsrganPublished, TheRealWeightsBeatBicubic) {
  const c10::InferenceMode guard;
  if (!fs::exists(kPublished)) GTEST_SKIP() << "needs the shared data folder";
  const esrgan::Network network = esrgan::load(weights::open_tensors(kPublished), {});
  for (const char* name : {"1f34e.jpg", "1f3b2.jpg"}) {
    const at::Tensor rgb = media::read_picture(kShared / "datasets/fluent_emoji_3d_128" / name).rgb;
    const at::Tensor small = media::resize_bicubic_pil(rgb, 32, 32);
    const at::Tensor large = network(unit(small).unsqueeze(0))[0].clamp(0, 1);
    const at::Tensor bicubic = unit(media::resize_bicubic_pil(small, 128, 128));
    const double gain = psnr(large, unit(rgb)) - psnr(bicubic, unit(rgb));
    EXPECT_GT(gain, 0.9) << name;
    EXPECT_GT(gradient(large), 0.85 * gradient(unit(rgb))) << name;
    EXPECT_LT(gradient(large), 1.1 * gradient(unit(rgb))) << name;
    RecordProperty(name, c10::str("gain ", gain, " dB, gradient ", gradient(large) / gradient(unit(rgb)), " bicubic ",
                                  gradient(bicubic) / gradient(unit(rgb))));
  }
}

TEST(EsrganPublished, TilesOfTheRealWeightsAreExact) {
  const c10::InferenceMode guard;
  if (!fs::exists(kPublished)) GTEST_SKIP() << "needs the shared data folder";
  const esrgan::Network network = esrgan::load(weights::open_tensors(kPublished), {});
  const at::Tensor rgb =
      unit(media::read_picture(kShared / "images/ruyi/example_01.png").rgb.narrow(1, 100, 75).narrow(2, 300, 111))
          .unsqueeze(0);
  const at::Tensor whole = network(rgb);
  at::Tensor tiled = at::empty_like(whole);
  const esrgan::Tiling tiling = esrgan::tiling_for(network.config(), 40);
  EXPECT_EQ(tiling.margin, 18);
  esrgan::upscale_in_tiles(network, rgb, tiling, [&](const at::Tensor& tile, int64_t top, int64_t left) {
    tiled.narrow(2, top, tile.size(2)).narrow(3, left, tile.size(3)).copy_(tile);
  });
  EXPECT_TRUE(near(tiled, whole, 1e-5));
}

}  // namespace
}  // namespace keyflow
