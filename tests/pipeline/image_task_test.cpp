#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "media/picture.h"
#include "pipeline/frame_writer.h"
#include "pipeline/metadata.h"
#include "pipeline/model.h"
#include "tests/pipeline/image_cases.h"
#include "tests/pipeline/render_fixture.h"
#include "weights/formats.h"

// What picture renders do beyond what diffusers can be compared with; on the models of image_reference.py.
namespace keyflow::pipeline {
namespace {

namespace fs = std::filesystem;

RenderSettings settings_of(const std::string& name) { return settings_from(image_settings(name)); }

using ImageTask = Render;

TEST_F(ImageTask, PictureKOfABatchIsTheSinglePictureOfSeedPlusK) {
  for (const std::string name : {"sd15_euler_a", "flux_schnell"}) {
    RenderSettings settings = settings_of(name);
    settings.batch = 3;
    const RenderResult batch = run(settings, name + ".png");
    ASSERT_EQ(batch.outputs.size(), 3u);
    EXPECT_EQ(batch.outputs[2].filename(), name + "_2.png");
    RenderSettings single = settings_of(name);
    single.seed += 2;
    const RenderResult alone = run(single, "single.png");
    EXPECT_EQ(bytes_of(batch.outputs[2]), bytes_of(alone.outputs.at(0)));
    EXPECT_NE(bytes_of(batch.outputs[1]), bytes_of(batch.outputs[2]));
  }
}

TEST_F(ImageTask, WhatTheMaskKeepsKeepsItsBits) {
  for (const std::string name : {"sd15_masked_part", "sd15_inpainting", "flux_fill"}) {
    const RenderSettings settings = settings_of(name);
    const at::Tensor picture = media::read_picture(settings.init_image).rgb;  // [3, H, W]
    const at::Tensor mask = media::read_picture(settings.mask).rgb;
    ASSERT_EQ(picture.sizes(), at::IntArrayRef({3, settings.height, settings.width}));
    const at::Tensor made = read_frames(run(settings, name + "%d.png"))[0];
    const at::Tensor kept = mask.eq(0);
    EXPECT_TRUE(made.masked_select(kept).equal(picture.masked_select(kept))) << name;
    EXPECT_FALSE(made.equal(picture)) << name;
  }
}

TEST_F(ImageTask, NoStrengthAndAMaskOfZerosReturnTheInput) {
  for (const std::string name : {"sd15_img2img", "sd3_img2img", "flux_dev_img2img"}) {
    RenderSettings settings = settings_of(name);
    const at::Tensor picture = media::read_picture(settings.init_image).rgb;
    settings.strength = 0;
    EXPECT_TRUE(read_frames(run(settings, name + "_0_%d.png"))[0].equal(picture)) << name;
    const fs::path mask = folder / "black.png";
    media::write_png(mask, at::zeros_like(picture));
    settings.strength = 0.6;
    settings.mask = mask.string();
    EXPECT_TRUE(read_frames(run(settings, name + "_black_%d.png"))[0].equal(picture)) << name;
  }
}

TEST_F(ImageTask, RendersAgainFromItsMetadata) {
  const RenderResult first = run(settings_of("sd15_masked_part"), "a.png");
  RenderSettings again = settings_from_metadata(first.outputs.at(0));
  // Models and pictures are recorded without the machine's folders.
  EXPECT_EQ(again.init_image.find('/'), again.init_image.npos);
  const RenderSettings given = settings_of("sd15_masked_part");
  again.model = given.model;
  again.init_image = given.init_image;
  again.mask = given.mask;
  EXPECT_EQ(bytes_of(run(again, "b.png").outputs.at(0)), bytes_of(first.outputs.at(0)));
  again.mask = again.init_image;
  EXPECT_TRUE(failure_of([&] { run(again, "c.png"); }).holds({"mask", "expected"}));
}

TEST_F(ImageTask, TwoSizesGoThroughTheSmallOne) {
  RenderSettings settings = settings_of("sd15");
  settings.hires_width = settings.width;
  settings.hires_height = settings.height;
  settings.width *= 2;
  settings.height *= 2;
  std::vector<at::Tensor> made;
  for (const char* way : {"latent", "latent-nearest", "latent-bicubic", "lanczos"}) {
    settings.hires_upscaler = way;
    made.push_back(latents_of(settings).clone());
    EXPECT_EQ(made.back().size(4), settings.width / 8);
    EXPECT_FALSE(made.size() > 1 && made.back().equal(made.front())) << way;
  }
  settings.hires_upscaler = "latent";
  settings.hires_strength = 0.3;
  EXPECT_FALSE(latents_of(settings).equal(made[0]));
}

// Stopped in either of the two renderings, the next run goes on to the same latents.
TEST_F(ImageTask, TwoSizesGoOnFromAStop) {
  RenderSettings settings = settings_of("sd15_euler_a");
  settings.hires_width = settings.width;
  settings.hires_height = settings.height;
  settings.width *= 2;
  settings.height *= 2;
  settings.hires_strength = 1;
  const at::Tensor whole = latents_of(settings).clone();
  for (const int64_t stop : {2, 7}) {
    OutputOptions output;
    output.path = folder / ("stopped" + std::to_string(stop) + ".safetensors");
    output.resume = true;
    listener.done.clear();
    listener.stop_after = stop;
    EXPECT_EQ(failure_of([&] { render(settings, output, listener); }).kind, ErrorKind::interrupted);
    listener.done.clear();
    listener.stop_after = 0;
    const RenderResult result = render(settings, output, listener);
    EXPECT_TRUE(load_latents(result.outputs.at(0)).segments.at(0).equal(whole)) << stop;
  }
}

TEST_F(ImageTask, LearnedWordsNeedTheirFile) {
  for (const auto& [name, width] : {std::pair<std::string, int64_t>{"sd15", 32}, {"flux_schnell", 28}}) {
    RenderSettings settings = settings_of(name);
    settings.prompt = "a box in embedding:odd";
    EXPECT_TRUE(failure_of([&] { latents_of(settings); }).holds({"embedding:odd", "--embedding"})) << name;
    weights::save_safetensors(folder / "odd.safetensors", {{"emb_params", at::randn({2, width})}});
    settings.embeddings = {(folder / "odd.safetensors").string()};
    const at::Tensor with = latents_of(settings).clone();
    weights::save_safetensors(folder / "odd.safetensors", {{"emb_params", at::randn({2, width})}});
    EXPECT_FALSE(latents_of(settings).equal(with)) << name;
    weights::save_safetensors(folder / "odd.safetensors", {{"emb_params", at::randn({2, width + 1})}});
    EXPECT_EQ(failure_of([&] { latents_of(settings); }).kind, ErrorKind::weights) << name;
  }
}

TEST_F(ImageTask, ALoraActsIsReportedAndMustMatch) {
  RenderSettings settings = settings_of("sd15");
  const at::Tensor without = latents_of(settings).clone();
  const fs::path file = folder / "style.safetensors";
  const std::string layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q";
  const auto model = open_model(settings, Need::render);
  const int64_t channels = model->network(models::Part::denoiser)
                               .file()
                               ->find("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight")
                               ->shape[0];
  weights::save_safetensors(file, {{layer + ".lora_down.weight", at::randn({2, channels})},
                                   {layer + ".lora_up.weight", at::randn({channels, 2})},
                                   {"lora_unet_nowhere.lora_down.weight", at::randn({2, channels})},
                                   {"lora_unet_nowhere.lora_up.weight", at::randn({channels, 2})}});
  settings.loras = {{file, 0.7, 0.7}};
  const RenderPlan plan = plan_render(settings);
  ASSERT_FALSE(plan.notes.empty());
  EXPECT_NE(plan.notes[0].find("1 of 2 layers matched"), std::string::npos) << plan.notes[0];
  EXPECT_NE(plan.notes[0].find("lora_unet_nowhere"), std::string::npos) << plan.notes[0];
  const at::Tensor with = latents_of(settings).clone();
  EXPECT_FALSE(with.equal(without));

  // The same by name from the prompt.
  settings.loras.clear();
  settings.prompt_syntax = "weights";
  settings.lora_folder = folder.path().string();
  settings.prompt += "<lora:style:0.7>";
  EXPECT_TRUE(latents_of(settings).equal(with));

  weights::save_safetensors(file, {{"lora_unet_nowhere.lora_down.weight", at::randn({2, channels})},
                                   {"lora_unet_nowhere.lora_up.weight", at::randn({channels, 2})}});
  const Failure failure = failure_of([&] { plan_render(settings); });
  EXPECT_EQ(failure.kind, ErrorKind::weights);
  EXPECT_TRUE(failure.holds({"style.safetensors"})) << failure.message;
}

struct Wrong {
  const char *name, *field, *value;
  std::vector<const char*> words;
};

class WrongImageTask : public testing::TestWithParam<Wrong> {};

// Every wrong combination is one line before any work.
TEST_P(WrongImageTask, IsExplained) {
  const auto& [name, field, value, words] = GetParam();
  RenderSettings settings = settings_of(name);
  if (std::string(field) != "frames") settings.frames = 1;
  assign(settings, field, value, Origin::command_line, std::string("--") + field);
  const Failure failure = failure_of([&] { plan_render(settings); });
  for (const char* word : words) EXPECT_NE(failure.message.find(word), std::string::npos) << failure.message;
}

INSTANTIATE_TEST_SUITE_P(
    Of, WrongImageTask,
    testing::Values(Wrong{"sd15", "mask", "m.png", {"mask", "--init-img"}},
                    Wrong{"sd15", "frames", "5", {"single pictures", "expected 1 frame", "found 5"}},
                    Wrong{"sd15", "width", "60", {"width 60", "multiple of 8", "56 or 64"}},
                    Wrong{"flux_dev", "width", "72", {"width 72", "multiple of 16"}},
                    Wrong{"sd15", "control_images", "a.png", {"expected 0 pictures", "found 1"}},
                    Wrong{"sd15_control", "control_strengths", "1,2", {"expected one number or 1", "found 2"}},
                    Wrong{"lcm", "guidance_scale", "5", {"told its guidance", "--guidance 5"}},
                    Wrong{"sd15", "decoder", "tiny", {"tiny autoencoder", "--taesd"}},
                    Wrong{"sd15", "hires_width", "32", {"expected both or none"}},
                    Wrong{"sd15_img2img", "sampler", "eulr", {"eulr", "euler"}},
                    Wrong{"sd15", "keyframes", "0=a.png", {"text-to-image", "takes no pictures"}}),
    [](const auto& test) { return std::string(test.param.name) + "_" + test.param.field; });

// The parts of one family with another's.
TEST(WrongImageParts, AreNamedWithBothNumbers) {
  RenderSettings settings = settings_of("sd15");
  settings.vae = (image_folder() / "sd3" / "vae").string();
  Failure failure = failure_of([&] { plan_render(settings); });
  EXPECT_EQ(failure.kind, ErrorKind::config);
  EXPECT_TRUE(failure.holds({"the VAE has 16 latent channels", "wants 4", "--vae"})) << failure.message;

  settings = settings_of("sd15");
  settings.text_encoder = (image_folder() / "flux_schnell" / "text_encoder").string();
  failure = failure_of([&] { plan_render(settings); });
  EXPECT_TRUE(failure.holds({"text encoder has", "channels", "--clip-l"})) << failure.message;

  settings = settings_of("sdxl_control");
  settings.control_nets = {(image_folder() / "sd15_control_0").string()};
  failure = failure_of([&] { plan_render(settings); });
  EXPECT_TRUE(failure.holds({"ControlNet", "is one for", "trained with this model"})) << failure.message;
}

}  // namespace
}  // namespace keyflow::pipeline
