#include "pipeline/render.h"

#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <set>

#include "core/files.h"
#include "core/memory.h"
#include "pipeline/latents_file.h"
#include "pipeline/metadata.h"
#include "pipeline/model.h"
#include "pipeline/text_phase.h"
#include "tests/pipeline/render_fixture.h"
#include "tests/tensor_match.h"

namespace keyflow::pipeline {
namespace {

namespace fs = std::filesystem;

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

TEST_F(Render, LeavesTheOutputAndNothingElse) {
  const RenderResult result = run(reference_settings("flf2v"), "out.png.%d.png");
  EXPECT_EQ(result.outputs.size(), 9u);
  EXPECT_EQ(result.latents, "");
  std::set<std::string> expected;
  for (int i = 0; i < 9; ++i) expected.insert("out.png." + std::to_string(i) + ".png");
  EXPECT_EQ(names_in(folder.path()), expected);
  EXPECT_EQ(listener.done[Phase::denoise], 4);
  EXPECT_EQ(listener.total[Phase::denoise], 4);
  EXPECT_EQ(listener.done[Phase::decode], 9);
  EXPECT_TRUE(listener.warnings.empty());
}

TEST_F(Render, ReportsEveryPhaseWithItsPeak) {
  const RenderResult result = run(reference_settings("flf2v"), "out.webp");
  std::set<Phase> seen;
  for (const auto& cost : result.costs) {
    EXPECT_TRUE(seen.insert(cost.phase).second) << name_of(cost.phase);
    EXPECT_GT(cost.peak_bytes, 0u);
  }
  EXPECT_EQ(seen.count(Phase::upscale), 0u);  // nothing is enlarged
  EXPECT_EQ(seen.size(), kPhases.size() - 1);
  EXPECT_GT(result.peak_bytes(), 0u);
}

TEST_F(Render, TheSameSettingsGiveTheSameBytes) {
  run(reference_settings("flf2v"), "a.png.%d.png");
  run(reference_settings("flf2v"), "b.png.%d.png");
  for (int i = 0; i < 9; ++i) {
    const std::string number = std::to_string(i) + ".png";
    EXPECT_EQ(bytes_of(folder / ("a.png." + number)), bytes_of(folder / ("b.png." + number)));
  }
}

TEST_F(Render, AnotherNumberOfThreadsStaysWithinRounding) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = latents_of(reference_settings("flf2v"));
  at::set_num_threads(2);
  const at::Tensor two = latents_of(reference_settings("flf2v"));
  at::set_num_threads(threads);
  EXPECT_TRUE(tests::near(two, one, 1e-5));
}

TEST_F(Render, FromMetadataGivesTheSameBytes) {
  const RenderResult first = run(reference_settings("flf2v"), "first.mp4");
  RenderSettings settings = settings_from_metadata(first.outputs.at(0));
  EXPECT_EQ(settings.prompt, "the cat  jumps on a red box");
  EXPECT_EQ(settings.model, "flf2v");
  // Absolute paths are not written down, so the user names these files again.
  assign(settings, "model", (reference_folder() / "flf2v").string(), Origin::command_line, "--model");
  assign(settings, "keyframes", "0=" + (reference_folder() / "first.png").string(), Origin::command_line, "--first");
  assign(settings, "keyframes", "-1=" + (reference_folder() / "last.png").string(), Origin::command_line, "--last");
  const RenderResult again = run(settings, "again.mp4");
  EXPECT_EQ(bytes_of(first.outputs.at(0)), bytes_of(again.outputs.at(0)));
}

TEST_F(Render, MetadataFindsThePicturesBesideTheOutputAndKnowsThem) {
  fs::copy(reference_folder() / "first.png", folder / "key.png");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  RenderSettings settings = reference_settings("i2v");
  settings.keyframes = {{0, "key.png", ""}};
  run(settings, "out.png.%d.png");
  fs::current_path(before);
  RenderSettings found = settings_from_metadata(folder / "out.png.0.png");
  found.model = (reference_folder() / "i2v").string();
  EXPECT_EQ(found.keyframes.at(0).picture, folder / "key.png");
  EXPECT_EQ(metadata_text(plan_render(found)).find(folder.path().string()), std::string::npos);

  fs::copy_file(reference_folder() / "last.png", folder / "key.png", fs::copy_options::overwrite_existing);
  const Failure failure = failure_of([&] { plan_render(found); });
  EXPECT_EQ(failure.kind, ErrorKind::config);
  EXPECT_TRUE(failure.holds({"keyframe 0", "expected", "found"})) << failure.message;
}

TEST_F(Render, KeptLatentsDecodeToTheSameFrames) {
  const RenderResult result = run(reference_settings("t2v"), "a.png.%d.png", /*keep=*/true);
  EXPECT_EQ(result.latents, folder / "a.png.%d.png.latents.safetensors");
  OutputOptions output;
  output.path = folder / "b.png.%d.png";
  RenderSettings settings;
  settings.model = (reference_folder() / "t2v").string();
  const RenderResult decoded = decode_latents(settings, result.latents, output, listener);
  EXPECT_TRUE(at::equal(read_frames(result), read_frames(decoded)));
  EXPECT_EQ(bytes_of(folder / "a.png.3.png"), bytes_of(folder / "b.png.3.png"));
}

TEST_F(Render, AnInterruptedRunGoesOnBitForBit) {
  const RenderSettings settings = reference_settings("flf2v");
  const at::Tensor whole = latents_of(settings).clone();
  OutputOptions output;
  output.path = folder / "out.safetensors";
  output.resume = true;
  listener.done.clear();
  listener.stop_after = 2;
  const Failure failure = failure_of([&] { render(settings, output, listener); });
  EXPECT_EQ(failure.kind, ErrorKind::interrupted);
  EXPECT_TRUE(failure.holds({"step 2 of 4", "state", "--resume"})) << failure.message;
  EXPECT_FALSE(fs::exists(output.path));
  ASSERT_TRUE(fs::exists(output.path.string() + ".state.safetensors"));

  RenderSettings other = settings;
  other.seed += 1;
  listener.stop_after = 0;
  EXPECT_EQ(failure_of([&] { render(other, output, listener); }).kind, ErrorKind::config);

  listener.done.clear();
  const RenderResult result = render(settings, output, listener);
  EXPECT_TRUE(at::equal(load_latents(result.outputs.at(0)).segments.at(0), whole));
  EXPECT_FALSE(fs::exists(output.path.string() + ".state.safetensors"));
}

// A stop while decoding costs only the decode: the latents are on disk and --resume goes on from them.
TEST_F(Render, AStopWhileDecodingKeepsTheLatents) {
  const RenderSettings settings = reference_settings("flf2v");
  const at::Tensor whole = read_frames(run(settings, "whole.png.%d.png"));
  OutputOptions output;
  output.path = folder / "out.png.%d.png";
  output.resume = true;
  listener.done.clear();
  listener.stop_phase = Phase::decode;
  listener.stop_after = 1;
  EXPECT_EQ(failure_of([&] { render(settings, output, listener); }).kind, ErrorKind::interrupted);
  EXPECT_FALSE(fs::exists(folder / "out.png.0.png"));
  EXPECT_TRUE(fs::exists(output.path.string() + ".latents.safetensors"));

  listener.done.clear();
  listener.stop_after = 0;
  EXPECT_TRUE(at::equal(read_frames(render(settings, output, listener)), whole));
  EXPECT_EQ(listener.done.count(Phase::text), 0u);
  EXPECT_EQ(listener.done.count(Phase::denoise), 0u);
}

// D7: a damaged state is one error, and is left as it is.
TEST_F(Render, ADamagedStateIsRefusedAndKept) {
  const fs::path state = folder / "state.safetensors";
  OutputOptions output;
  output.path = folder / "out.safetensors";
  output.state = state;
  output.resume = true;
  for (const std::string content : {"", "zeros and ones", "{\"latents\": 1}"}) {
    write_file(state, content);
    EXPECT_EQ(failure_of([&] { render(reference_settings("t2v"), output, listener); }).kind, ErrorKind::weights);
    EXPECT_EQ(bytes_of(state), content);
  }
}

TEST_F(Render, ReleasedPagesAreNotResident) {
  const int64_t megabytes = 64;
  weights::save_safetensors(folder / "large.safetensors", {{"x", at::zeros({megabytes << 20}, at::kByte)}});
  Network network;
  network.part.file = weights::open_tensors(folder / "large.safetensors");
  const auto resident = [] { return static_cast<int64_t>(resident_bytes() >> 20); };
  const int64_t before = resident();
  EXPECT_EQ(network.file()->read("x").sum().item<int64_t>(), 0);
  EXPECT_GT(resident(), before + megabytes / 2);
  release_pages(network);
  EXPECT_LT(resident(), before + megabytes / 2);
  EXPECT_EQ(network.file()->read("x").sum().item<int64_t>(), 0);
}

TEST_F(Render, OneFrameIsAPicture) {
  RenderSettings settings = reference_settings("t2v");
  settings.frames = 1;
  const RenderResult result = run(settings, "out.png");
  EXPECT_EQ(read_frames(result).sizes(), at::IntArrayRef({1, 3, 32, 48}));
}

TEST_F(Render, FirstEqualsLast) {
  RenderSettings settings = reference_settings("flf2v");
  settings.keyframes[1].picture = settings.keyframes[0].picture;
  EXPECT_EQ(run(settings, "out.png.%d.png").outputs.size(), 9u);
}

TEST_F(Render, KeyframesInTheMiddleArePinned) {
  RenderSettings settings = reference_settings("i2v");
  const at::Tensor base = latents_of(settings).clone();
  settings.keyframes.push_back({6, reference_folder() / "last.png", ""});
  EXPECT_FALSE(at::equal(latents_of(settings), base));
}

TEST_F(Render, PreviewsComeEveryNSteps) {
  OutputOptions output;
  output.path = folder / "out.safetensors";
  output.preview_every = 2;
  render(reference_settings("t2v"), output, listener);
  ASSERT_EQ(listener.previews.size(), 2u);
  EXPECT_EQ(listener.previews[0].size(0), 3);
  EXPECT_EQ(listener.previews[0].scalar_type(), at::kByte);
  EXPECT_FALSE(at::equal(listener.previews[0], listener.previews[1]));
}

// Segments: every frame once, whether a border has a picture or goes on from the frame before.
TEST_F(Render, SegmentsMakeOneVideo) {
  const TemporaryFolder models;
  fs::copy(reference_folder() / "i2v", models / "model", fs::copy_options::recursive);
  write_file(models / "model" / "preset.json", R"({"frames": 5, "pictures": "required"})");
  RenderSettings settings = reference_settings("i2v");
  settings.model = (models / "model").string();
  settings.steps = 2;
  settings.frames = 13;
  settings.keyframes.push_back({4, reference_folder() / "last.png", ""});
  const RenderPlan plan = plan_render(settings);
  ASSERT_EQ(plan.segments.size(), 3u);
  EXPECT_FALSE(plan.segments[1].continues);
  EXPECT_TRUE(plan.segments[2].continues);
  const RenderResult result = run(settings, "out.png.%d.png", /*keep=*/true);
  EXPECT_EQ(result.outputs.size(), 13u);
  EXPECT_EQ(load_latents(result.latents).segments.size(), 3u);
  EXPECT_EQ(listener.total[Phase::denoise], 6);
  EXPECT_EQ(listener.done[Phase::denoise], 6);
}

TEST_F(Render, ColourMatchMovesTheFramesTowardsTheKeyframes) {
  RenderSettings settings = reference_settings("flf2v");
  settings.color_match = true;
  const at::Tensor frames = read_frames(run(settings, "out.png.%d.png")).to(at::kFloat);
  const at::Tensor plain = read_frames(run(reference_settings("flf2v"), "plain.png.%d.png")).to(at::kFloat);
  const at::Tensor target = reference_tensor("flf2v.first_resized").to(at::kFloat);
  const auto distance = [&](const at::Tensor& frame) {
    return (frame.mean({1, 2}) - target.mean({1, 2})).abs().max().item<float>();
  };
  EXPECT_LT(distance(frames[0]), 2.5f);
  EXPECT_GT(distance(plain[0]), 5.f);
  EXPECT_TRUE(std::any_of(listener.notes.begin(), listener.notes.end(),
                          [](const auto& note) { return note.starts_with("colours at the keyframes"); }));
}

TEST_F(Render, OutputsAreCheckedBeforeAnyWork) {
  const RenderSettings settings = reference_settings("t2v");
  EXPECT_EQ(failure_of([&] { run(settings, "absent/out.mp4"); }).kind, ErrorKind::io);
  EXPECT_EQ(failure_of([&] { run(settings, "out.xyz"); }).kind, ErrorKind::usage);
  EXPECT_EQ(failure_of([&] { run(settings, "out.png"); }).kind, ErrorKind::usage);
  EXPECT_EQ(listener.done.count(Phase::text), 0u);
}

TEST_F(Render, EncodeThenDecodeIsTheVaeAlone) {
  RenderSettings settings;
  settings.model = (reference_folder() / "t2v").string();
  settings.dtype = "fp32";
  settings.width = 48;
  settings.height = 32;
  const RenderResult encoded =
      encode_media(settings, {reference_folder() / "first.png"}, folder / "latents.safetensors", listener);
  const at::Tensor latents = load_latents(encoded.outputs.at(0)).segments.at(0);
  EXPECT_EQ(latents.sizes(), at::IntArrayRef({1, 16, 1, 4, 6}));
  OutputOptions output;
  output.path = folder / "out.png";
  EXPECT_EQ(read_frames(decode_latents(settings, encoded.outputs.at(0), output, listener)).size(3), 48);
}

TEST_F(Render, LatentsOfAnotherVaeAreRefusedWithBothNumbers) {
  save_latents(folder / "latents.safetensors", {{at::zeros({1, 16, 3, 4, 6})}, ""});
  RenderSettings settings;
  settings.vae = (reference_folder() / "vae_z8").string();
  OutputOptions output;
  output.path = folder / "out.png.%d.png";
  const Failure failure =
      failure_of([&] { decode_latents(settings, folder / "latents.safetensors", output, listener); });
  EXPECT_EQ(failure.kind, ErrorKind::config);
  EXPECT_TRUE(failure.holds({"latents of 16 channels", "VAE has 8", "--vae"})) << failure.message;
}

TEST_F(Render, APromptThatIsTooLongIsNamed) {
  RenderSettings settings = reference_settings("t2v");
  for (int i = 0; i < 300; ++i) settings.prompt += " red box";
  run(settings, "out.safetensors");
  ASSERT_EQ(listener.warnings.size(), 1u);
  EXPECT_NE(listener.warnings[0].find("cut off: \""), std::string::npos) << listener.warnings[0];
}

TEST_F(Render, EncodePromptGivesOneRowPerToken) {
  const EncodedPrompt prompt = encode_prompt(reference_settings("t2v"), listener);
  EXPECT_EQ(prompt.embedding.tokens.sizes(), at::IntArrayRef({1, prompt.tokens, 40}));
  EXPECT_GT(prompt.tokens, 5);
  EXPECT_EQ(prompt.lost, "");
}

TEST_F(Render, LatentsThatAreNotFiniteAreRefusedWithTheirIndex) {
  at::Tensor latents = latents_of(reference_settings("t2v")).clone();
  latents[0][3][1][2][4] = NAN;
  save_latents(folder / "bad.safetensors", {{latents}, ""});
  RenderSettings settings;
  settings.model = (reference_folder() / "t2v").string();
  OutputOptions output;
  output.path = folder / "out.png.%d.png";
  const Failure failure = failure_of([&] { decode_latents(settings, folder / "bad.safetensors", output, listener); });
  EXPECT_EQ(failure.kind, ErrorKind::numeric);
  EXPECT_TRUE(failure.holds({"[0, 3, 1, 2, 4]"})) << failure.message;
}

}  // namespace
}  // namespace keyflow::pipeline
