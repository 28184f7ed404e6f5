#include <gtest/gtest.h>

#include <fstream>

#include "pipeline/model.h"
#include "tests/pipeline/tiny_models.h"

namespace keyflow::pipeline {
namespace {

std::string picture(const char* name) { return (reference_folder() / name).string(); }

struct Wrong {
  const char* id;
  const char* kind;                                          ///< whose settings it starts from
  std::vector<std::pair<const char*, std::string>> changes;  ///< field, text
  std::vector<std::string> names;                            ///< must stand in the message
  bool drop_keyframes = false;
};

class WrongCombination : public testing::TestWithParam<Wrong> {};

TEST_P(WrongCombination, IsExplainedBeforeAnyWork) {
  const Wrong& wrong = GetParam();
  RenderSettings settings = reference_settings(wrong.kind);
  if (wrong.drop_keyframes) settings.keyframes.clear();
  const Failure failure = failure_of([&] {
    for (const auto& [field, text] : wrong.changes) {
      assign(settings, field, text, Origin::command_line, std::string("--") + field);
    }
    plan_render(settings);
  });
  EXPECT_TRUE(failure.kind == ErrorKind::usage || failure.kind == ErrorKind::config) << failure.message;
  for (const auto& name : wrong.names) EXPECT_NE(failure.message.find(name), std::string::npos) << failure.message;
}

INSTANTIATE_TEST_SUITE_P(
    A, WrongCombination,
    testing::Values(
        Wrong{"A01_steps", "t2v", {{"steps", "abc"}}, {"--steps", "abc"}},
        Wrong{"A04_width", "t2v", {{"width", "513"}}, {"513", "512 or 528"}},
        Wrong{"A04_height", "t2v", {{"height", "40"}}, {"40", "32 or 48"}},
        Wrong{"A04_zero", "t2v", {{"width", "0"}}, {"--width", "0"}},
        Wrong{"A05_frames", "t2v", {{"frames", "80"}}, {"80", "77 or 81"}},
        Wrong{"A06_pixels", "t2v", {{"width", "65520"}, {"height", "65520"}}, {"65520x65520", "pixels"}},
        Wrong{"A06_frames", "t2v", {{"frames", "999999997"}}, {"memory", "available"}},
        Wrong{"A07_steps", "t2v", {{"steps", "0"}}, {"--steps", "1 to"}},
        Wrong{"A07_fps", "t2v", {{"fps", "0"}}, {"--fps"}},
        Wrong{"A07_beyond", "i2v", {{"keyframes", "200=x.png"}}, {"200", "0 to 8"}},
        Wrong{"A07_twice", "i2v", {{"keyframes", "0=x.png"}}, {"keyframe 0", "given twice"}},
        Wrong{"A07_one_latent",
              "i2v",
              {{"keyframes", "6=x.png"}, {"keyframes", "7=y.png"}},
              {"6 and 7", "5 to 8", "one latent frame", "4 or 9"}},
        Wrong{"A08_prompt", "t2v", {{"prompt", ""}}, {"prompt", "expected a text"}},
        Wrong{"A08_t2v_with_picture", "t2v", {{"keyframes", "0=x.png"}}, {"text-to-video", "takes no pictures"}},
        Wrong{"A08_i2v_without", "i2v", {}, {"image-to-video", "first frame", "--first"}, true},
        Wrong{"A08_flf2v_without_last",
              "flf2v",
              {{"keyframes", "0=" + picture("first.png")}},
              {"last frame", "--last"},
              true},
        Wrong{"sampler", "t2v", {{"sampler", "unipcc"}}, {"unipc"}},
        Wrong{"dtype", "t2v", {{"dtype", "fp31"}}, {"fp31"}},
        Wrong{"tiling", "t2v", {{"tiling", "100"}}, {"tiling", "100"}},
        Wrong{"X01_utf8", "t2v", {{"prompt", "a\xff"}}, {"UTF-8"}}),
    [](const auto& test) { return std::string(test.param.id); });

TEST(WrongParts, AnotherNetworkInThePlaceOfAPart) {
  RenderSettings settings = reference_settings("t2v");
  settings.vae = (reference_folder() / "t2v" / "text_encoder").string();
  const Failure failure = failure_of([&] { plan_render(settings); });
  EXPECT_EQ(failure.kind, ErrorKind::weights);
  EXPECT_TRUE(failure.holds({"expected a VAE", "T5 text encoder", "--t5xxl"})) << failure.message;
}

TEST(WrongParts, ATransformerFileAloneNamesWhatIsMissing) {
  RenderSettings settings = reference_settings("flf2v");
  settings.model = (reference_folder() / "official_flf2v" / "diffusion_pytorch_model.safetensors").string();
  const Failure failure = failure_of([&] { plan_render(settings); });
  EXPECT_EQ(failure.kind, ErrorKind::config);
  EXPECT_TRUE(failure.holds({"--vae", "--t5xxl", "--tokenizer", "--image-encoder"})) << failure.message;
}

TEST(WrongParts, SeparateFilesMakeAModel) {
  const auto official = reference_folder() / "official_flf2v";
  RenderSettings settings = reference_settings("flf2v");
  settings.model = (official / "diffusion_pytorch_model.safetensors").string();
  settings.vae = (official / "Wan2.1_VAE.pth").string();
  settings.text_encoder = (reference_folder() / "t2v" / "text_encoder").string();
  settings.tokenizer = (official / "google" / "umt5-xxl").string();
  settings.image_encoder = (official / "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth").string();
  EXPECT_EQ(plan_render(settings).model->facts().pictures.count, 2);
}

class ModelFolder : public testing::Test {
 protected:
  Failure failure_after(const std::function<void(const std::filesystem::path&)>& change) {
    const auto model = folder / "model";
    std::filesystem::copy(reference_folder() / "t2v", model, std::filesystem::copy_options::recursive);
    change(model);
    RenderSettings settings = reference_settings("t2v");
    settings.model = model.string();
    return failure_of([&] { plan_render(settings); });
  }
  static void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }
  TemporaryFolder folder;
};

TEST_F(ModelFolder, I09_UnknownClass) {
  const Failure failure = failure_after([](const auto& model) {
    write(model / "model_index.json", R"({"_class_name": "WanPipeline", "vae": ["diffusers", "AutoencoderKL"]})");
  });
  EXPECT_TRUE(failure.holds({"vae", "AutoencoderKL"})) << failure.message;
}

TEST_F(ModelFolder, I09_PartWithAPath) {
  for (const char* name : {"../vae", "a/b"}) {
    std::filesystem::remove_all(folder / "model");
    const Failure failure = failure_after([&](const auto& model) {
      write(model / "model_index.json", std::string(R"({")") + name + R"(": ["diffusers", "AutoencoderKLWan"]})");
    });
    EXPECT_TRUE(failure.holds({name, "unknown part"})) << failure.message;
  }
}

TEST_F(ModelFolder, I09_MissingPart) {
  const Failure failure = failure_after([](const auto& model) { std::filesystem::remove_all(model / "vae"); });
  EXPECT_TRUE(failure.holds({"\"vae\"", "found none"})) << failure.message;
}

TEST_F(ModelFolder, I03_ALinkOutOfTheFolder) {
  const Failure failure = failure_after([](const auto& model) {
    std::filesystem::remove(model / "vae" / "config.json");
    std::filesystem::create_symlink(reference_folder() / "t2v" / "vae" / "config.json", model / "vae" / "config.json");
  });
  EXPECT_TRUE(failure.holds({"config.json", "inside"})) << failure.message;
}

TEST_F(ModelFolder, TheHubCacheLayoutIsRead) {
  const auto entry = folder / "models--x--y";
  const auto snapshot = entry / "snapshots" / "0123abcd";
  std::filesystem::create_directories(entry / "blobs");
  int64_t number = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(reference_folder() / "t2v")) {
    if (!file.is_regular_file()) continue;
    const auto blob = entry / "blobs" / std::to_string(number++);
    const auto link = snapshot / std::filesystem::relative(file.path(), reference_folder() / "t2v");
    std::filesystem::copy(file.path(), blob);
    std::filesystem::create_directories(link.parent_path());
    std::filesystem::create_symlink(std::filesystem::relative(blob, link.parent_path()), link);
  }
  RenderSettings settings = reference_settings("t2v");
  settings.model = snapshot.string();
  EXPECT_EQ(plan_render(settings).model->parts().layout, "diffusers folder");
}

TEST_F(ModelFolder, I10_EmptyFolder) {
  RenderSettings settings = reference_settings("t2v");
  settings.model = folder.path().string();
  EXPECT_TRUE(failure_of([&] { plan_render(settings); }).holds({"model_index.json", "no checkpoint"}));
  settings.model = (folder / "absent").string();
  EXPECT_EQ(failure_of([&] { plan_render(settings); }).kind, ErrorKind::io);
}

TEST_F(ModelFolder, AVaeOfAnotherWidthIsNamedWithBothNumbers) {
  const Failure failure = failure_after([](const auto& model) {
    std::filesystem::remove_all(model / "vae");
    std::filesystem::copy(reference_folder() / "vae_z8", model / "vae", std::filesystem::copy_options::recursive);
  });
  EXPECT_EQ(failure.kind, ErrorKind::config);
  EXPECT_TRUE(failure.holds({"VAE has 8", "wants 16"})) << failure.message;
}

TEST(Plan, FillsInEveryValueWithItsOrigin) {
  RenderSettings settings;
  settings.model = (reference_folder() / "flf2v").string();
  settings.keyframes = {{0, reference_folder() / "first.png", ""}, {-1, reference_folder() / "last.png", ""}};
  const RenderPlan plan = plan_render(settings);
  EXPECT_EQ(plan.settings.steps, 50);
  EXPECT_EQ(plan.settings.shift, 16);
  EXPECT_EQ(plan.settings.frames, 81);
  EXPECT_EQ(plan.settings.keyframes[1].frame, 80);
  EXPECT_EQ(plan.settings.fit, "stretch");
  EXPECT_EQ(plan.settings.width % 16, 0);
  EXPECT_NEAR(static_cast<double>(plan.settings.width) / static_cast<double>(plan.settings.height), 80.0 / 56, 0.05);
  EXPECT_TRUE(plan.settings.negative.starts_with("镜头切换，镜头晃动，色调"));
  EXPECT_EQ(plan.settings.dtype, to_text(plan.compute));
  for (const auto& line : describe(plan.settings)) {
    EXPECT_NE(line.value, "auto") << line.name;
    EXPECT_TRUE(line.name != "steps" || line.origin == Origin::model);
  }
  EXPECT_GT(plan.estimate.denoise, 0u);
  EXPECT_GT(plan.estimate.decode, 0u);
}

TEST(Plan, DiffusersConventionsTakeTheSchedulersShift) {
  RenderSettings settings;
  settings.model = (reference_folder() / "t2v").string();
  settings.prompt = "x";
  settings.conventions = "diffusers";
  settings.dtype = "fp32";
  const RenderPlan plan = plan_render(settings);
  EXPECT_EQ(plan.settings.shift, 3);
  EXPECT_EQ(plan.settings.negative, "");
  EXPECT_EQ(plan.settings.width, 832);
}

}  // namespace
}  // namespace keyflow::pipeline
