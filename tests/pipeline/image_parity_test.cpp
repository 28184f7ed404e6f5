#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "pipeline/latents_file.h"
#include "tests/pipeline/tiny_models.h"
#include "tests/tensor_match.h"
#include "weights/tensor_file.h"

namespace keyflow::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Every case that image_reference.py makes, by family.
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
    "lcm",
    "sd15_control",
    "sd15_controls",
    "sd21",
    "sd21_zero_snr",
};
const std::vector<std::string> kSdxl{
    "sdxl",         "sdxl_no_negative", "sdxl_empty_negative", "sdxl_clip_skip", "sdxl_turbo",   "sdxl_lightning",
    "sdxl_img2img", "sdxl_masked",      "sdxl_inpainting",     "refiner",        "sdxl_control", "sdxl_controls",
};
const std::vector<std::string> kSd3{
    "sd3", "sd3_no_t5", "sd3_img2img", "sd3_masked", "sd3_masked_part", "sd35", "sd35_skip_layers",
};
const std::vector<std::string> kFlux{
    "flux_dev", "flux_dev_guided", "flux_dev_img2img", "flux_dev_masked", "flux_schnell", "flux_fill", "flux_fill_part",
};

fs::path image_folder() { return KEYFLOW_BINARY_DIR "/reference/image"; }

const json& reference() {
  static const json object = read_json(image_folder() / "cases.json");
  return object;
}

at::Tensor expected(const std::string& name) {
  static const auto file = weights::open_tensors(image_folder() / "reference.safetensors");
  return file->read(name);
}

const json& case_of(const std::string& name) {
  for (const auto& entry : reference()["cases"]) {
    if (entry["name"] == name) return entry;
  }
  fail(ErrorKind::internal, "image_reference.py makes no case ", name);
}

RenderSettings settings_from(const json& object) {
  RenderSettings settings;
  apply_json(settings, object, Origin::command_line, "cases.json");
  return settings;
}

/// The call of a case, on the same weights in published files where `single` is asked for.
RenderSettings settings_of(const std::string& name, bool single = false) {
  json object = case_of(name)["settings"];
  if (single) {
    object.erase("model");
    object.update(reference()["single_files"][name]);
  }
  return settings_from(object);
}

at::Tensor latents_of(const RenderSettings& settings) {
  const TemporaryFolder folder;
  Listener listener;
  OutputOptions output;
  output.path = folder / "out.safetensors";
  return load_latents(render(settings, output, listener).outputs.at(0)).segments.at(0).clone();
}

class ImageParity : public testing::TestWithParam<std::string> {};

// From seed to picture against diffusers 0.42.1, with the folder its save_pretrained wrote.
TEST_P(ImageParity, EqualsDiffusers) {
  const std::string name = case_of(GetParam()).value("expected", GetParam());
  const TemporaryFolder folder;
  Listener listener;
  OutputOptions output;
  output.path = folder / "out.png";
  output.latents = folder / "kept.safetensors";
  output.keep_latents = true;
  const RenderResult result = render(settings_of(GetParam()), output, listener);
  const auto match = tests::near(load_latents(result.latents).segments.at(0), expected(name + ".latents"), 1e-4);
  EXPECT_TRUE(match);
  RecordProperty("latents", match.message());
  const at::Tensor frame = read_frames(result)[0];  // [3, H, W]
  const at::Tensor wanted = expected(name + ".frame") * 255;
  ASSERT_EQ(frame.sizes(), wanted.sizes());
  EXPECT_LE((frame.to(at::kFloat) - wanted).abs().max().item<float>(), 1.001f);
}

const auto named = [](const auto& test) { return test.param; };
INSTANTIATE_TEST_SUITE_P(Sd, ImageParity, testing::ValuesIn(kSd), named);
INSTANTIATE_TEST_SUITE_P(Sdxl, ImageParity, testing::ValuesIn(kSdxl), named);
INSTANTIATE_TEST_SUITE_P(Sd3, ImageParity, testing::ValuesIn(kSd3), named);
INSTANTIATE_TEST_SUITE_P(Flux, ImageParity, testing::ValuesIn(kFlux), named);

TEST(ImageReference, HasTheCasesThatAreTested) {
  std::set<std::string> made, tested;
  for (const auto& entry : reference()["cases"]) made.insert(entry["name"].get<std::string>());
  for (const auto* names : {&kSd, &kSdxl, &kSd3, &kFlux}) tested.insert(names->begin(), names->end());
  EXPECT_EQ(made, tested);
}

class SingleFile : public testing::TestWithParam<std::string> {};

// The same weights under the names of published files. They lie at other addresses there, and MKL rounds by alignment,
// so equality is to float32 rounding.
TEST_P(SingleFile, EqualsTheFolder) {
  EXPECT_TRUE(tests::near(latents_of(settings_of(GetParam(), true)), latents_of(settings_of(GetParam())), 1e-5));
}

INSTANTIATE_TEST_SUITE_P(Published, SingleFile, testing::Values("sd15", "sd21", "sdxl", "sd3", "flux_dev"), named);

/// Another value of one field of a case, and how much of the latents' range it must move.
struct Change {
  const char *name, *field, *value;
};

class EveryInput : public testing::TestWithParam<Change> {};

// The parity above proves nothing unless every input matters.
TEST_P(EveryInput, ChangesTheLatents) {
  const auto& [name, field, value] = GetParam();
  const at::Tensor base = expected(std::string(name) + ".latents");
  json object = case_of(name)["settings"];
  const std::string text = value;
  if (text.ends_with(".png")) {
    object[field] = (image_folder() / text).string();
  } else {
    object[field] = json::accept(text) ? json::parse(text) : json(text);
  }
  const at::Tensor changed = latents_of(settings_from(object));
  ASSERT_EQ(changed.sizes(), base.sizes());
  EXPECT_GT((changed - base).abs().max().item<float>(), 0.01f * base.abs().max().item<float>());
}

constexpr const char* kOther = "waves break on the dark shore";
INSTANTIATE_TEST_SUITE_P(
    Of, EveryInput,
    testing::Values(
        Change{"sd15", "prompt", kOther}, Change{"sd15", "negative", kOther}, Change{"sd15", "seed", "8"},
        Change{"sd15", "steps", "5"}, Change{"sd15", "guidance_scale", "1"}, Change{"sd15", "guidance_rescale", "0.5"},
        Change{"sd15", "clip_skip", "2"}, Change{"sd15", "sampler", "ddim"}, Change{"sd15", "schedule", "karras"},
        Change{"sd15_ddim", "eta", "0"}, Change{"sd15_img2img", "init_image", "sd_edges.png"},
        Change{"sd15_img2img", "strength", "1"}, Change{"sd15_masked_part", "init_image", "sd_edges.png"},
        Change{"sd15_masked_part", "mask", "sd_edges.png"}, Change{"sd15_inpainting", "init_image", "sd_edges.png"},
        Change{"sd15_inpainting", "mask", "sd_edges.png"}, Change{"lcm", "guidance", "2"},
        Change{"sd15_control", "control_images", "[\"\"]"}, Change{"sd15_control", "control_strengths", "[0.1]"},
        Change{"sdxl", "prompt", kOther}, Change{"sdxl", "negative", kOther},
        Change{"sdxl_no_negative", "empty_negative", "text"}, Change{"refiner", "negative", kOther},
        Change{"sd3", "prompt", kOther}, Change{"sd3", "negative", kOther}, Change{"sd3", "shift", "1"},
        Change{"sd35", "skip_layer_scale", "2.8"}, Change{"flux_dev", "prompt", kOther},
        Change{"flux_dev", "guidance", "1"}, Change{"flux_dev", "shift", "5"},
        Change{"flux_fill", "init_image", "transformer_edges.png"},
        Change{"flux_fill", "mask", "transformer_edges.png"}),
    [](const auto& test) { return std::string(test.param.name) + "_" + test.param.field; });

}  // namespace
}  // namespace keyflow::pipeline
