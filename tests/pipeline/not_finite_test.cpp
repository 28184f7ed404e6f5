#include <limits>

#include "tests/pipeline/render_fixture.h"
#include "tests/tensor_match.h"

namespace keyflow::pipeline {
namespace {

namespace fs = std::filesystem;

struct Poison {
  const char *part, *tensor, *stage, *module;
};
class NotANumber : public Render, public testing::WithParamInterface<Poison> {};

// N01: exit 1 naming stage, step and place; no picture.
TEST_P(NotANumber, IsNamedAndNothingIsWritten) {
  const Poison& poison = GetParam();
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const TemporaryFolder models;
    copy_with_change(reference_folder() / "flf2v", models / "model", poison.part, poison.tensor,
                     [&](at::Tensor& tensor) { tensor.view(-1)[5] = value; });
    RenderSettings settings = reference_settings("flf2v");
    settings.model = (models / "model").string();
    const Failure failure = failure_of([&] { run(settings, "out.png.%d.png"); });
    EXPECT_EQ(failure.kind, ErrorKind::numeric);
    EXPECT_TRUE(failure.holds({poison.stage, poison.module})) << failure.message;
    EXPECT_FALSE(fs::exists(folder / "out.png.0.png"));
  }
}
INSTANTIATE_TEST_SUITE_P(
    N01, NotANumber,
    testing::Values(Poison{"transformer", "blocks.1.ffn.net.0.proj.weight", "denoise", "step 1 of 4, blocks.1.ffn"},
                    Poison{"text_encoder", "encoder.block.1.layer.1.DenseReluDense.wo.weight", "text", "blocks.1.ffn"},
                    Poison{"image_encoder", "encoder.layers.0.mlp.fc1.weight", "image", "mlp"},
                    Poison{"vae", "decoder.conv_in.weight", "decode", "decoder.conv1.weight"},
                    Poison{"vae", "encoder.conv_in.weight", "image", "encoder.conv1.weight"}),
    [](const auto& test) { return std::string(test.param.part) + std::to_string(test.index); });

TEST_F(Render, AVaeOfNaNKeepsTheLatents) {
  const TemporaryFolder models;
  copy_with_change(reference_folder() / "t2v", models / "model", "vae", "decoder.conv_in.weight",
                   [](at::Tensor& tensor) { tensor.fill_(NAN); });
  RenderSettings settings = reference_settings("t2v");
  settings.model = (models / "model").string();
  EXPECT_EQ(failure_of([&] { run(settings, "out.png.%d.png"); }).kind, ErrorKind::numeric);
  EXPECT_EQ(load_latents(folder / "out.png.%d.png.latents.safetensors").segments.size(), 1u);
}

// N03: a constant picture is written and flagged.
TEST_F(Render, AConstantPictureIsFlagged) {
  const TemporaryFolder models;
  copy_with_change(reference_folder() / "t2v", models / "model", "vae", "decoder.conv_out.weight",
                   [](at::Tensor& tensor) { tensor.zero_(); });
  RenderSettings settings = reference_settings("t2v");
  settings.model = (models / "model").string();
  const RenderResult result = run(settings, "out.png.%d.png");
  EXPECT_TRUE(result.constant_picture);
  ASSERT_EQ(listener.warnings.size(), 1u);
  EXPECT_NE(listener.warnings[0].find("same colour"), std::string::npos);
}

// N02: what only bf16 or fp16 cannot hold is repeated in float32.
TEST_F(Render, AnOverflowOfHalfPrecisionIsRepeated) {
  const TemporaryFolder models;
  copy_with_change(reference_folder() / "t2v", models / "model", "transformer",
                   "condition_embedder.text_embedder.linear_2.weight", [](at::Tensor& tensor) { tensor.mul_(3e5); });
  RenderSettings settings = reference_settings("t2v");
  settings.model = (models / "model").string();
  settings.dtype = "fp32";
  const at::Tensor exact = latents_of(settings).clone();
  settings.dtype = "linear=fp16 conv2d=fp32 conv3d=fp32 attention=fp32";
  const at::Tensor repeated = latents_of(settings);
  ASSERT_EQ(listener.warnings.size(), 1u);
  EXPECT_NE(listener.warnings[0].find("repeated in fp32"), std::string::npos);
  EXPECT_TRUE(tests::near(repeated, exact, 0.1));
}

}  // namespace
}  // namespace keyflow::pipeline
