#include "pipeline/upscale.h"

#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/random.h"
#include "media/frame_sink.h"
#include "media/picture.h"
#include "media/resize.h"
#include "media/settings.h"
#include "media/video_reader.h"
#include "models/esrgan/load.h"
#include "pipeline/frame_writer.h"
#include "pipeline/metadata.h"
#include "tests/models/held_source.h"
#include "tests/pipeline/tiny_models.h"
#include "tests/tensor_match.h"

namespace keyflow::pipeline {
namespace {

namespace fs = std::filesystem;
using tests::kind_of;
using tests::near;
using weights::Scope;

esrgan::Config small() {
  esrgan::Config config;
  config.kind = esrgan::Kind::compact;
  config.features = 6;
  config.blocks = 1;
  config.shuffle = 2;
  return config;
}

/// The file of a small upscaler; `change` alters its weights first.
fs::path save(const TemporaryFolder& folder, const std::function<void(const std::string&, at::Tensor&)>& change = {}) {
  tests::HeldSource source([&](const Scope& w) { esrgan::Network(w, small()); });
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (auto& [name, tensor] : source.tensors) {
    if (change) change(name, tensor);
    tensors.emplace_back(name, tensor);
  }
  const fs::path path = folder / "net.safetensors";
  weights::save_safetensors(path, tensors);
  return path;
}

at::Tensor noise(int64_t height, int64_t width, uint64_t seed = 4) {
  return randn({3, height, width}, seed).mul(50).add(128).clamp(0, 255).to(at::kByte);
}

UpscaleSettings settings_of(const fs::path& model) {
  UpscaleSettings settings;
  settings.model = model;
  settings.dtype = "fp32";
  return settings;
}

OutputOptions to(const fs::path& path) {
  OutputOptions output;
  output.path = path;
  return output;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Upscaler, GivesTheNetworksBytesWhateverTheTiles) {
  const c10::InferenceMode guard;
  const TemporaryFolder folder;
  const fs::path path = save(folder);
  const esrgan::Network network = esrgan::load(weights::open_tensors(path), {});
  const at::Tensor rgb = noise(70, 45);
  const at::Tensor exact = network(rgb.unsqueeze(0).to(at::kFloat) / 255)[0].clamp(0, 1) * 255;
  Listener ears;
  for (const int64_t tile : {0, 32}) {
    int64_t tiles = 0;
    Upscaler upscaler(open_upscaler(path), {}, {.tile = tile}, ears);
    const at::Tensor large = upscaler(rgb, [&] { ++tiles; });
    EXPECT_EQ(tiles, tile == 0 ? 1 : 6);
    EXPECT_EQ(tiles, upscaler.tiles(70, 45));
    EXPECT_EQ(large.scalar_type(), at::kByte);
    EXPECT_LE((large.to(at::kFloat) - exact).abs().max().item<double>(), 0.5001);
  }
}

TEST(Upscaler, RepeatsItsOwnResult) {
  const c10::InferenceMode guard;
  const TemporaryFolder folder;
  const fs::path path = save(folder);
  Listener ears;
  Upscaler once(open_upscaler(path), {}, {}, ears), twice(open_upscaler(path), {}, {.repeats = 2}, ears);
  const at::Tensor rgb = noise(5, 8);
  EXPECT_EQ(twice.scale(), 4);
  EXPECT_EQ(twice.tiles(5, 8), 2);
  EXPECT_TRUE(twice(rgb).equal(once(once(rgb))));
}

TEST(Upscaler, LeavesAHalfTypeThatIsTooSmall) {
  const c10::InferenceMode guard;
  const TemporaryFolder folder;
  // The middle of the chain grows beyond what fp16 holds, and the end makes it small again.
  const fs::path path = save(folder, [](const std::string& name, at::Tensor& weight) {
    if (name == "body.0.weight") weight.mul_(1e6);
    if (name == "body.4.weight") weight.mul_(1e-6);
  });
  Compute half;
  half.conv2d = at::kHalf;
  Listener ears;
  Upscaler upscaler(open_upscaler(path), half, {}, ears), exact(open_upscaler(path), {}, {}, ears);
  const at::Tensor rgb = noise(9, 7);
  EXPECT_TRUE(upscaler(rgb).equal(exact(rgb)));
  EXPECT_TRUE(upscaler(rgb).equal(exact(rgb)));
  ASSERT_EQ(ears.warnings.size(), 1u);  // the second picture begins in fp32
  EXPECT_NE(ears.warnings[0].find("repeated in fp32"), std::string::npos) << ears.warnings[0];
}

TEST(Upscaler, NamesTheWeightThatIsNoNumber) {
  const c10::InferenceMode guard;
  const TemporaryFolder folder;
  const fs::path path = save(folder, [](const std::string& name, at::Tensor& weight) {
    if (name == "body.2.bias") weight[3] = std::nan("");
  });
  Listener ears;
  Upscaler upscaler(open_upscaler(path), {}, {}, ears);
  try {
    upscaler(noise(6, 6));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numeric);
    EXPECT_NE(std::string(error.what()).find("body.2.bias holds 1 values of 6"), std::string::npos) << error.what();
  }
}

TEST(Upscaler, TilesFitTheMemory) {
  const esrgan::Config rrdb;
  EXPECT_EQ(upscale_tile("off", rrdb, {}, 1), 0);
  EXPECT_EQ(upscale_tile("48", rrdb, {}, 1), 48);
  EXPECT_EQ(upscale_tile("auto", rrdb, {}, uint64_t{64} << 30), 256);
  EXPECT_EQ(upscale_tile("auto", small(), {}, uint64_t{64} << 30), 512);
  EXPECT_LT(upscale_tile("auto", rrdb, {}, uint64_t{1} << 30), 256);
  EXPECT_EQ(upscale_tile("auto", rrdb, {}, 1), 32);
  for (const char* text : {"", "31", "-4", "1e3", "64x", "70000", "big"}) {
    EXPECT_EQ(kind_of([&] { upscale_tile(text, rrdb, {}, 1); }), ErrorKind::usage) << text;
  }
}

TEST(Upscale, PictureKeepsItsSettingsAndTellsHowItWasMade) {
  const TemporaryFolder folder;
  const fs::path in = folder / "in.png", out = folder / "out.png", again = folder / "again.png";
  media::write_png(in, noise(9, 14), R"({"program":"keyflow 0.1.0","settings":{"prompt":"a cat","steps":7}})");
  const UpscaleSettings settings = settings_of(save(folder));
  Listener ears;
  const UpscalePlan plan = plan_upscale(settings, in);
  const RenderResult result = upscale(plan, to(out), ears);
  EXPECT_EQ(result.outputs, std::vector<fs::path>{out});
  EXPECT_EQ(ears.done[Phase::upscale], 1);
  EXPECT_EQ(ears.total[Phase::upscale], 1);
  EXPECT_EQ(shape_text(media::read_picture(out).rgb.sizes()), "[3, 18, 28]");
  upscale(plan_upscale(settings, out), to(again), ears);
  const auto text = nlohmann::json::parse(media::read_settings(again));
  ASSERT_EQ(text.at("upscale").size(), 2u);
  EXPECT_EQ(text.at("upscale")[0].at("model"), "net.safetensors");
  EXPECT_EQ(text.at("upscale")[0].at("hash"), plan.model.hash);
  EXPECT_EQ(text.at("upscale")[1].at("scale"), 2);
  EXPECT_EQ(text.at("settings").at("prompt"), "a cat");
  EXPECT_EQ(settings_from_metadata(again).steps, 7);
}

TEST(Upscale, ForeignCommentsAreNotKept) {
  for (const char* stored : {"", "{", "{\"program\":\"other\"}", "{\"program\":5}", "[1]"}) {
    const auto text = nlohmann::json::parse(metadata_with_upscale(stored, {{"scale", 2}}));
    EXPECT_TRUE(text.at("program").get<std::string>().starts_with("keyflow ")) << stored;
    EXPECT_EQ(text.at("upscale").size(), 1u);
  }
  const std::string deep = "{\"program\":\"keyflow 1\",\"a\":" + std::string(100'000, '[');
  EXPECT_EQ(nlohmann::json::parse(metadata_with_upscale(deep, {})).count("a"), 0u);
}

TEST(Upscale, AnyScaleByLanczosBehindTheNetwork) {
  const TemporaryFolder folder;
  const fs::path in = folder / "in.png", out = folder / "out.png";
  media::write_png(in, noise(9, 14));
  UpscaleSettings settings = settings_of(save(folder));
  Listener ears;
  upscale(plan_upscale(settings, in), to(out), ears);
  const at::Tensor twofold = media::read_picture(out).rgb;
  settings.scale = 1.5;
  upscale(plan_upscale(settings, in), to(out), ears);
  EXPECT_TRUE(media::read_picture(out).rgb.equal(media::resize_lanczos_pil(twofold, 14, 21)));
  EXPECT_TRUE(ears.notes.empty());
  settings.scale = 3;
  upscale(plan_upscale(settings, in), to(out), ears);
  EXPECT_TRUE(media::read_picture(out).rgb.equal(media::resize_lanczos_pil(twofold, 27, 42)));
  ASSERT_EQ(ears.notes.size(), 1u);
  EXPECT_NE(ears.notes[0].find("Lanczos"), std::string::npos);
}

fs::path clip(const TemporaryFolder& folder, const char* name, std::vector<at::Tensor>& frames) {
  media::SinkOptions options;
  options.width = 16;
  options.height = 12;
  options.fps = 12.5;
  options.frames = 5;
  options.settings_json = R"({"program":"keyflow 0.1.0","settings":{"prompt":"a clip"}})";
  const auto sink = media::open_sink(folder / name, options);
  for (uint64_t t = 0; t < 5; ++t) {
    frames.push_back(noise(12, 16, t));
    sink->write(frames.back());
  }
  sink->finish();
  return folder / name;
}

TEST(Upscale, VideoFrameByFrame) {
  const TemporaryFolder folder;
  std::vector<at::Tensor> frames;
  const fs::path in = clip(folder, "in.apng", frames), out = folder / "out.apng";
  const fs::path model = save(folder);
  Listener ears;
  const UpscalePlan plan = plan_upscale(settings_of(model), in);
  EXPECT_FALSE(plan.picture.defined());
  upscale(plan, to(out), ears);
  EXPECT_EQ(ears.done[Phase::upscale], 5);
  EXPECT_EQ(ears.total[Phase::upscale], 5);
  const media::Video video = media::read_video(out);
  EXPECT_NEAR(video.fps, 12.5, 1e-6);
  ASSERT_EQ(video.frames.size(0), 5);
  const c10::InferenceMode guard;
  Upscaler upscaler(open_upscaler(model), {}, {}, ears);
  for (int64_t t = 0; t < 5; ++t) {
    EXPECT_TRUE(video.frames[t].equal(upscaler(frames[static_cast<size_t>(t)])));
  }
  const auto text = nlohmann::json::parse(media::read_settings(out));
  EXPECT_EQ(text.at("settings").at("prompt"), "a clip");
  EXPECT_EQ(text.at("upscale").size(), 1u);
}

TEST(Upscale, ACutVideoIsRefusedBeforeAnyWork) {
  const TemporaryFolder folder;
  std::vector<at::Tensor> frames;
  const fs::path in = clip(folder, "in.mkv", frames);
  fs::resize_file(in, fs::file_size(in) * 2 / 3);
  const fs::path model = save(folder);
  EXPECT_EQ(kind_of([&] { plan_upscale(settings_of(model), in); }), ErrorKind::io);
}

TEST(Upscale, StoppedItLeavesNothing) {
  const TemporaryFolder folder, place;
  std::vector<at::Tensor> frames;
  const fs::path in = clip(folder, "in.mp4", frames);
  const UpscalePlan plan = plan_upscale(settings_of(save(folder)), in);
  for (const char* name : {"out.mp4", "out.gif", "out%d.png"}) {
    Listener ears;
    ears.stop_after = 3;
    ears.stop_phase = Phase::upscale;
    EXPECT_EQ(kind_of([&] { upscale(plan, to(place / name), ears); }), ErrorKind::interrupted);
    EXPECT_EQ(names_in(place.path()), std::vector<std::string>{}) << name;
  }
}

TEST(Upscale, RefusesWhatIsTooLarge) {
  const TemporaryFolder folder;
  const fs::path in = folder / "in.png";
  media::write_png(in, noise(30, 2000));
  UpscaleSettings settings = settings_of(save(folder));
  settings.scale = 40;
  EXPECT_EQ(kind_of([&] { plan_upscale(settings, in); }), ErrorKind::usage);
  settings.scale = 0;
  settings.repeats = 40;  // more than any machine holds
  settings.scale = 1;
  EXPECT_EQ(kind_of([&] { plan_upscale(settings, in); }), ErrorKind::usage);
}

RenderPlan render_plan(const fs::path& model) {
  RenderPlan plan;
  plan.settings.width = 14;
  plan.settings.height = 9;
  plan.settings.frames = 1;
  plan.settings.fps = 8;
  plan.settings.upscale = model.string();
  plan.segments = {{0, 1, {}, false}};
  return plan;
}

TEST(RenderUpscale, EachFrameIsEnlargedBeforeItIsWritten) {
  const c10::InferenceMode guard;
  const TemporaryFolder folder;
  RenderPlan plan = render_plan(save(folder));
  plan.settings.upscale_repeats = 2;
  plan_upscaler(plan);
  EXPECT_EQ(plan.settings.upscale_tile, "512");
  EXPECT_GT(plan.estimate.decode, 0u);
  Listener ears;
  FrameWriter writer(folder / "out.png", plan, "", make_upscaler(plan, ears));
  writer.begin_segment(0, {});
  const at::Tensor rgb = noise(9, 14);
  writer.write(media::to_signed(rgb).unsqueeze(1).unsqueeze(0));
  writer.finish();
  Upscaler upscaler(open_upscaler(plan.settings.upscale), {}, {.repeats = 2}, ears);
  EXPECT_TRUE(media::read_picture(folder / "out.png").rgb.equal(upscaler(rgb)));
}

TEST(RenderUpscale, IsRefusedBeforeTheRender) {
  const TemporaryFolder folder;
  Listener ears;
  RenderPlan none = render_plan("");
  plan_upscaler(none);
  EXPECT_EQ(make_upscaler(none, ears), nullptr);
  RenderPlan missing = render_plan(folder / "no.pth");
  EXPECT_EQ(kind_of([&] { plan_upscaler(missing); }), ErrorKind::io);
  RenderPlan large = render_plan(save(folder));
  large.settings.width = 40'000;
  EXPECT_EQ(kind_of([&] { plan_upscaler(large); }), ErrorKind::usage);
  RenderPlan tile = render_plan(folder / "net.safetensors");
  tile.settings.upscale_tile = "7";
  EXPECT_EQ(kind_of([&] { plan_upscaler(tile); }), ErrorKind::usage);
}

}  // namespace
}  // namespace keyflow::pipeline
