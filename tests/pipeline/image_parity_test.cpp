#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "pipeline/latents_file.h"
#include "tests/pipeline/image_cases.h"
#include "tests/pipeline/tiny_models.h"
#include "tests/tensor_match.h"

namespace keyflow::pipeline {
namespace {

const std::vector<std::string> kSd{
    "sd15",
    "sd15_one_step",
    "sd15_clip_skip",
    "sd15_rescale",
    "sd15_euler",
    "sd15_euler_asked",
    "sd15_euler_a",
    "sd15_euler_a_asked",
    "sd15_ddim",
    "sd15_ddim_asked",
    "sd15_dpm",
    "sd15_dpm_asked",
    "sd15_unipc",
    "sd15_unipc_asked",
    "sd15_tcd",
    "sd15_tcd_asked",
    "sd15_img2img",
    "sd15_img2img_resized",
    "sd15_img2img_whole",
    "sd15_img2img_euler_a",
    "sd15_masked",
    "sd15_masked_part",
    "sd15_masked_euler",
    "sd15_masked_euler_a",
    "sd15_masked_ddim",
    "sd15_masked_dpm",
    "sd15_inpainting",
    "sd15_inpainting_part",
    "sd15_inpainting_euler_a",
    "sd15_control",
    "sd15_controls",
    "lcm",
    "sd21",
    "sd21_zero_snr",
};
const std::vector<std::string> kSdxl{
    "sdxl",         "sdxl_no_negative", "sdxl_empty_negative", "sdxl_clip_skip", "sdxl_turbo",   "sdxl_lightning",
    "sdxl_img2img", "sdxl_masked",      "sdxl_inpainting",     "refiner",        "sdxl_control", "sdxl_controls",
};
const std::vector<std::string> kSd3{
    "sd3", "sd3_img2img", "sd3_masked", "sd3_masked_part", "sd35", "sd35_no_t5", "sd35_skip_layers",
};
const std::vector<std::string> kFlux{
    "flux_dev", "flux_dev_guided", "flux_dev_img2img", "flux_dev_masked", "flux_schnell", "flux_fill", "flux_fill_part",
};

const auto named = [](const auto& test) { return test.param; };

class ImageParity : public testing::TestWithParam<std::string> {};

// From seed to picture against diffusers 0.42.1, with the folder its save_pretrained wrote.
TEST_P(ImageParity, EqualsDiffusers) {
  const std::string expected = expected_of(GetParam());
  const TemporaryFolder folder;
  Listener listener;
  OutputOptions output;
  output.path = folder / "out.png";
  output.latents = folder / "kept.safetensors";
  output.keep_latents = true;
  const RenderResult result = render(settings_from(image_settings(GetParam())), output, listener);
  const auto match =
      tests::near(load_latents(result.latents).segments.at(0), image_tensor(expected + ".latents"), 1e-4);
  EXPECT_TRUE(match);
  RecordProperty("latents", match.message());
  const at::Tensor frame = read_frames(result)[0];  // [3, H, W]
  const at::Tensor wanted = image_tensor(expected + ".frame") * 255;
  ASSERT_EQ(frame.sizes(), wanted.sizes());
  EXPECT_LE((frame.to(at::kFloat) - wanted).abs().max().item<float>(), 1.001f);
  EXPECT_FALSE(result.constant_picture);
}

INSTANTIATE_TEST_SUITE_P(Sd, ImageParity, testing::ValuesIn(kSd), named);
INSTANTIATE_TEST_SUITE_P(Sdxl, ImageParity, testing::ValuesIn(kSdxl), named);
INSTANTIATE_TEST_SUITE_P(Sd3, ImageParity, testing::ValuesIn(kSd3), named);
INSTANTIATE_TEST_SUITE_P(Flux, ImageParity, testing::ValuesIn(kFlux), named);

TEST(ImageReference, HasTheCasesThatAreTested) {
  const std::vector<std::string> names = image_case_names();
  std::set<std::string> tested;
  for (const auto* family : {&kSd, &kSdxl, &kSd3, &kFlux}) tested.insert(family->begin(), family->end());
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()), tested);
}

class SingleFile : public testing::TestWithParam<std::string> {};

// The same weights under the names of published files. They lie at other addresses there, and MKL rounds by alignment,
// so equality is to float32 rounding.
TEST_P(SingleFile, EqualsTheFolder) {
  const at::Tensor single = rendered_latents(settings_from(single_file_settings(GetParam())));
  EXPECT_TRUE(tests::near(single, rendered_latents(settings_from(image_settings(GetParam()))), 1e-5));
}

INSTANTIATE_TEST_SUITE_P(Published, SingleFile, testing::Values("sd15", "sd21", "sdxl", "sd3", "flux_dev"), named);

}  // namespace
}  // namespace keyflow::pipeline
