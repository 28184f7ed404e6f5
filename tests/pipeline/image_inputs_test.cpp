#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/pipeline/image_cases.h"

namespace keyflow::pipeline {
namespace {

using nlohmann::json;

/// Another value of one field of a case: JSON, a word, or the name of a picture that the reference script drew.
struct Change {
  std::string name, field, value;
};
void PrintTo(const Change& change, std::ostream* out) { *out << change.name << " " << change.field; }

json value_of(const Change& change, const json& before) {
  if (change.value.ends_with(".png")) {
    const json path = (image_folder() / change.value).string();
    return before.is_array() ? json::array({path}) : path;
  }
  return json::accept(change.value) ? json::parse(change.value) : json(change.value);
}

class EveryInput : public testing::TestWithParam<Change> {};

// The parity of image_parity_test.cpp proves nothing unless every input matters.
TEST_P(EveryInput, ChangesTheLatents) {
  const Change& change = GetParam();
  json settings = image_settings(change.name);
  settings[change.field] = value_of(change, settings.value(change.field, json()));
  const at::Tensor before = image_tensor(expected_of(change.name) + ".latents");
  const at::Tensor after = rendered_latents(settings_from(settings));
  ASSERT_EQ(after.sizes(), before.sizes());
  EXPECT_GT((after - before).abs().max().item<float>(), 0.002f * before.abs().max().item<float>());
}

const std::string kOther = "waves break on the dark shore";
INSTANTIATE_TEST_SUITE_P(
    Of, EveryInput,
    testing::Values(
        Change{"sd15", "prompt", kOther}, Change{"sd15", "negative", kOther}, Change{"sd15", "seed", "8"},
        Change{"sd15", "steps", "5"}, Change{"sd15", "guidance_scale", "1"}, Change{"sd15", "guidance_rescale", "0.5"},
        Change{"sd15", "clip_skip", "2"}, Change{"sd15", "sampler", "ddim"}, Change{"sd15", "schedule", "karras"},
        Change{"sd15_ddim", "eta", "0"}, Change{"sd15_img2img", "init_image", "sd_edges.png"},
        Change{"sd15_img2img", "strength", "1"}, Change{"sd15_masked_part", "init_image", "sd_edges.png"},
        Change{"sd15_masked_part", "mask", "sd_edges.png"}, Change{"sd15_inpainting", "init_image", "sd_edges.png"},
        Change{"sd15_inpainting", "mask", "sd_edges.png"}, Change{"sd15_control", "control_images", "sd.png"},
        Change{"sd15_control", "control_strengths", "[0.1]"}, Change{"sd15_controls", "control_stops", "[1, 1]"},
        Change{"lcm", "guidance", "2"}),
    [](const auto& test) { return test.param.name + "_" + test.param.field; });
INSTANTIATE_TEST_SUITE_P(OfSdxl, EveryInput,
                         testing::Values(Change{"sdxl", "prompt", kOther}, Change{"sdxl", "negative", kOther},
                                         Change{"sdxl_no_negative", "empty_negative", "text"},
                                         Change{"refiner", "negative", kOther},
                                         Change{"refiner", "init_image", "sd_edges.png"}),
                         [](const auto& test) { return test.param.name + "_" + test.param.field; });
INSTANTIATE_TEST_SUITE_P(OfTransformers, EveryInput,
                         testing::Values(Change{"sd3", "prompt", kOther}, Change{"sd3", "negative", kOther},
                                         Change{"sd3", "shift", "1"},
                                         Change{"sd35_skip_layers", "skip_layer_scale", "0"},
                                         Change{"sd35_skip_layers", "skip_layers", "[1]"},
                                         Change{"flux_dev", "prompt", kOther}, Change{"flux_dev", "guidance", "1"},
                                         Change{"flux_dev", "shift", "5"},
                                         Change{"flux_dev_guided", "negative", kOther},
                                         Change{"flux_fill", "init_image", "transformer_edges.png"},
                                         Change{"flux_fill", "mask", "transformer_edges.png"}),
                         [](const auto& test) { return test.param.name + "_" + test.param.field; });

}  // namespace
}  // namespace keyflow::pipeline
