// sd-cli's line as keyflow's settings, in the process and without files.
#include "apps/sd_cli.h"

#include <gtest/gtest.h>

#include <sstream>

#include "apps/program.h"
#include "core/error.h"
#include "schedulers/model_schedule.h"

namespace keyflow::apps {
namespace {

using Words = std::vector<std::string>;
using Settings = std::map<std::string, std::string>;

const SdCliModel kSd{"sd", "SD1", 8, 8, {}}, kSdxl{"sd", "SDXL", 8, 8, {}}, kSd3{"sd3", "SD3.5 Large", 16, 8, {}};
const SdCliModel kDev{"flux", "FLUX.1-dev", 16, 8, {}}, kSchnell{"flux", "FLUX.1-schnell", 16, 8, {}};
const SdCliModel kWan{"wan", "Wan2.1-T2V-1.3B", 16, 8, {}};

ForeignLine line_of(const Words& words) { return read_foreign_line({"sd-cli"}, sd_cli_options(), words); }

/// As a shell would split it, with "..." kept together.
Words split(const std::string& line) {
  Words words;
  std::istringstream stream(line);
  std::string word;
  while (stream >> std::quoted(word)) words.push_back(word);
  return words;
}

SdCliJob job_of(const Words& words, const SdCliModel& model) {
  const ForeignLine line = line_of(words);
  SdCliJob job = read_sd_cli_job(line);
  complete_sd_cli_job(job, line, model);
  return job;
}

Settings settings_of(const Words& words, const SdCliModel& model) {
  Settings settings;
  for (const auto& line : pipeline::describe(job_of(words, model).settings)) settings[line.name] = line.value;
  return settings;
}

std::string error_of(const Words& words, const SdCliModel& model = kSd) {
  try {
    job_of(words, model);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    const std::string text = error.what();
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
  return "nothing was thrown";
}

struct Row {
  const char* name;
  const char* line;
  const SdCliModel& model;
  Settings settings;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class Lines : public ::testing::TestWithParam<Row> {};

TEST_P(Lines, BecomeTheseSettings) {
  const Settings settings = settings_of(split(GetParam().line), GetParam().model);
  for (const auto& [name, value] : GetParam().settings) EXPECT_EQ(settings.at(name), value) << name;
}

// The lines of sd-cli's own documentation (docs/sd.md, flux.md, wan.md).
INSTANTIATE_TEST_SUITE_P(
    Documented, Lines,
    ::testing::Values(
        Row{"Text",
            "-m sd-v1-4.ckpt -p \"a lovely cat\"",
            kSd,
            {{"model", "sd-v1-4.ckpt"},
             {"prompt", "a lovely cat"},
             {"negative", ""},
             {"width", "512"},
             {"height", "512"},
             {"steps", "20"},
             {"guidance_scale", "7"},
             {"sampler", "euler_a"},
             {"schedule", "discrete"},
             {"seed", "42"},
             {"rng", "cuda"},
             {"batch", "1"},
             {"frames", "1"}}},
        Row{"Picture",
            "-m sd-v1-4.ckpt -p \"a cat\" -i output.png -o img2img.png --strength 0.4",
            kSd,
            {{"init_image", "output.png"}, {"strength", "0.45"}}},
        Row{"Xl",
            "-m sd_xl_base_1.0.safetensors --vae sdxl_vae-fp16-fix.safetensors -H 1024 -W 1024 -p \"a cat\" -v",
            kSdxl,
            {{"vae", "sdxl_vae-fp16-fix.safetensors"}, {"width", "1024"}, {"empty_negative", "zeros"}}},
        Row{"Lora",
            "-m v1-5.safetensors -p \"a cat<lora:lcm-lora-sdv1-5:1>\" --steps 4 --lora-model-dir models -v --cfg-scale "
            "1",
            kSd,
            {{"prompt", "a cat<lora:lcm-lora-sdv1-5:1>"}, {"lora_folder", "models"}, {"guidance_scale", "1"}}},
        Row{"Words", "-m s -p x --embd-dir words", kSd, {{"embeddings", "words"}, {"lora_folder", "."}}},
        Row{"Tiny",
            "-m v1-5.safetensors -p \"a cat\" --taesd diffusion_pytorch_model.safetensors",
            kSd,
            {{"tiny_vae", "diffusion_pytorch_model.safetensors"}, {"decoder", "auto"}}},
        Row{"Sd3",
            "-m sd3.5_large.safetensors --clip_l clip_l.safetensors --clip_g clip_g.safetensors --t5xxl "
            "t5xxl_fp16.safetensors -H 1024 -W 1024 -p \"a cat\" --cfg-scale 4.5 --sampling-method euler -v "
            "--clip-on-cpu",
            kSd3,
            {{"text_encoder", "clip_l.safetensors"},
             {"text_encoder_2", "clip_g.safetensors"},
             {"text_encoder_3", "t5xxl_fp16.safetensors"},
             {"guidance_scale", "4.5"},
             {"sampler", "euler"},
             {"schedule", "discrete"},
             {"shift", "3"}}},
        Row{"FluxDev",
            "--diffusion-model flux1-dev-q8_0.gguf --vae ae.sft --clip_l clip_l.safetensors --t5xxl "
            "t5xxl_fp16.safetensors -p \"a cat\" --cfg-scale 1.0 --sampling-method euler -v --clip-on-cpu",
            kDev,
            {{"transformer", "flux1-dev-q8_0.gguf"},
             {"guidance_scale", "1"},
             {"guidance", "3.5"},
             {"schedule", "model"},
             {"shift", "0"}}},
        // mu of 1024 tokens is .63, and exp of that the shift.
        Row{"FluxSchnell",
            "--diffusion-model flux1-schnell.gguf --vae ae.sft --clip_l l --t5xxl t -p \"a cat\" --cfg-scale 1.0 "
            "--sampling-method euler --steps 4",
            kSchnell,
            {{"steps", "4"}, {"schedule", "model"}, {"shift", "1.8776105792643432"}}},
        Row{"WanText",
            "-M vid_gen --diffusion-model wan2.1_t2v_1.3B_fp16.safetensors --vae wan_2.1_vae.safetensors --t5xxl "
            "umt5-xxl-encoder-Q8_0.gguf -p \"a cat\" --cfg-scale 6.0 --sampling-method euler -v -n \"色调艳丽\" -W 832 "
            "-H 480 --diffusion-fa --video-frames 33 --flow-shift 3.0",
            kWan,
            {{"transformer", "wan2.1_t2v_1.3B_fp16.safetensors"},
             {"text_encoder_3", "umt5-xxl-encoder-Q8_0.gguf"},
             {"negative", "色调艳丽"},
             {"width", "832"},
             {"height", "480"},
             {"frames", "33"},
             {"shift", "3"},
             {"fps", "16"},
             {"steps", "20"},
             {"guidance_scale", "6"},
             {"schedule", "discrete"}}},
        Row{"WanPicture",
            "-M vid_gen --diffusion-model wan2.1-i2v-14b-480p-Q8_0.gguf --vae v --t5xxl t --clip_vision "
            "clip_vision_h.safetensors -p \"a cat\" --cfg-scale 6.0 --sampling-method euler -v -n \"x\" -W 480 -H 832 "
            "--diffusion-fa --video-frames 33 --offload-to-cpu -i a.png --flow-shift 3.0",
            kWan,
            {{"image_encoder", "clip_vision_h.safetensors"}, {"keyframes", "0=a.png"}, {"fit", "cover"}}},
        Row{"WanTwoPictures",
            "-M vid_gen --diffusion-model wan2.1-flf2v-14b-720p-Q8_0.gguf --vae wan_2.1_vae.safetensors --t5xxl "
            "umt5-xxl-encoder-Q8_0.gguf --clip_vision clip_vision_h.safetensors -p \"glass flower blossom\" "
            "--cfg-scale "
            "6.0 --sampling-method euler -v -n \"x\" -W 480 -H 832 --diffusion-fa --video-frames 33 --offload-to-cpu "
            "--init-img a.png --end-img b.png --flow-shift 3.0",
            kWan,
            {{"keyframes", "0=a.png -1=b.png"},
             {"width", "480"},
             {"height", "832"},
             {"prompt", "glass flower blossom"}}}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Defaults, Lines,
    ::testing::Values(
        Row{"Wan", "-m w -M vid_gen -p x", kWan, {{"shift", "5"}, {"sampler", "euler"}, {"frames", "1"}}},
        Row{"FluxDiscrete", "-m f -p x --scheduler discrete", kSchnell, {{"shift", "2.718281828459045"}}},
        Row{"Lcm", "-m s -p x --sampling-method lcm", kSd, {{"sampler", "lcm"}, {"schedule", "lcm"}}},
        Row{"Trailing",
            "-m s -p x --sampling-method ddim_trailing",
            kSd,
            {{"sampler", "ddim"}, {"schedule", "simple"}}},
        Row{"Tcd", "-m s -p x --sampling-method tcd", kSd, {{"eta", "0"}}},
        Row{"Normal", "-m s -p x --scheduler normal --eta 0.5", kSd, {{"schedule", "discrete"}, {"eta", "0.5"}}},
        Row{"LastWins", "-m s -p x --steps 5 --steps 7 -p y", kSd, {{"steps", "7"}, {"prompt", "y"}}},
        Row{"Control",
            "-m s -p x --control-net c --control-image i",
            kSd,
            {{"control_nets", "c"}, {"control_images", "i"}, {"control_strengths", "0.9"}}},
        Row{"Skipped",
            "-m s -p x --slg-scale 2.5 --skip-layers [1,2] --skip-layer-end 0.3",
            kSd3,
            {{"skip_layer_scale", "2.5"}, {"skip_layers", "1,2"}, {"skip_layer_stop", "0.3"}}},
        Row{"ClipSkip",
            "-m s -p x --clip-skip 2 --rng cpu --type f16",
            kSd,
            {{"clip_skip", "2"}, {"rng", "cpu"}, {"dtype", "fp16"}}},
        Row{"Tiles", "-m s -p x -W 1024 -H 512 --vae-tiling --vae-tile-size 48x48", kSd, {{"tiling", "384"}}},
        Row{"RelativeTiles",
            "-m s -p x -W 1024 -H 512 --vae-tiling --vae-relative-tile-size 4",
            kSd,
            {{"tiling", "256"}}},
        // 10 steps at .5: a list of 20, of which sd-cli does 11.
        Row{"SecondSize",
            "-m s -p x --hires --hires-scale 1.5 --hires-steps 10 --hires-denoising-strength 0.5",
            kSd,
            {{"hires_width", "512"},
             {"width", "768"},
             {"hires_steps", "20"},
             {"hires_strength", "0.55"},
             {"hires_upscaler", "latent"}}},
        Row{"SecondSizeGiven",
            "-m s -p x --hires --hires-width 1024 --hires-upscaler Lanczos",
            kSd,
            {{"width", "1024"}, {"height", "1024"}, {"hires_height", "512"}, {"hires_upscaler", "lanczos"}}},
        Row{"TinyPreview", "-m s -p x --taesd t --taesd-preview-only", kSd, {{"decoder", "full"}}}),
    [](const auto& info) { return info.param.name; });

TEST(SdCli, ValuesAreTakenAsTheyAre) {
  const Settings settings = settings_of({"-m", "s", "-p", "-5 cats * % | < \n", "-n", "--stranger"}, kSd);
  EXPECT_EQ(settings.at("prompt"), "-5 cats * % | < \n");
  EXPECT_EQ(settings.at("negative"), "--stranger");
}

TEST(SdCli, RoundsAsItsRivalDoesAndSaysSo) {
  const SdCliJob video = job_of(split("-m w -M vid_gen -p x -W 830 -H 480 --video-frames 83"), kWan);
  EXPECT_EQ(video.settings.frames, 81);
  EXPECT_EQ(video.settings.width, 832);
  ASSERT_EQ(video.notes.size(), 3u);
  EXPECT_NE(video.notes[0].find("83: rounded down to 81"), std::string::npos);
  EXPECT_NE(video.notes[1].find("output.mp4"), std::string::npos);
  EXPECT_NE(video.notes[2].find("830x480: rounded up to 832x480"), std::string::npos);
  EXPECT_EQ(job_of(split("-m s -p x -W 520"), kSd).settings.width, 576);
}

TEST(SdCli, TakesThePicturesSize) {
  SdCliModel model = kSd;
  model.picture = pipeline::FrameSize{640, 448};
  EXPECT_EQ(job_of(split("-m s -p x -i a.png"), model).settings.width, 640);
  EXPECT_EQ(job_of(split("-m s -p x -i a.png -W 512 -H 512"), model).settings.width, 512);
  EXPECT_EQ(sd_cli_pictures(line_of(split("-m s --end-img b -i a"))), (Words{"a", "b"}));
}

TEST(SdCli, SeedsBelowZeroAreDrawn) {
  const uint64_t one = job_of(split("-m s -p x -s -1"), kSd).settings.seed;
  EXPECT_NE(one, job_of(split("-m s -p x -s -1"), kSd).settings.seed);
}

TEST(SdCli, ADoneShareIsTheWholeNumberOfSteps) {
  for (const auto prediction : {schedulers::Prediction::epsilon, schedulers::Prediction::flow}) {
    schedulers::ModelSchedule schedule;
    schedule.prediction = prediction;
    const SdCliModel& model = schedule.is_flow() ? kSd3 : kSd;
    for (int64_t steps = 1; steps <= 150; ++steps) {
      for (const char* strength : {"0.05", "0.1", "0.35", "0.5", "0.75", "0.9", "1"}) {
        const Words words{"-m", "s", "-p", "x", "-i", "a", "--steps", std::to_string(steps), "--strength", strength};
        const auto part = static_cast<int64_t>(static_cast<float>(steps) * std::stof(strength));
        const int64_t done = std::min(part, steps - 1) + 1;
        const double share = job_of(words, model).settings.strength;
        EXPECT_EQ(schedulers::first_step(schedule, steps, share), steps - done) << steps << " at " << strength;
      }
    }
  }
}

TEST(SdCli, AnOptionWithoutEffectIsSaidToTheVerbose) {
  const SdCliJob job = job_of(split("-m s -p x --diffusion-fa --clip-on-cpu"), kSd);
  EXPECT_EQ(job.asides, (Words{"--diffusion-fa has no effect in keyflow", "--clip-on-cpu has no effect in keyflow"}));
  EXPECT_TRUE(job.notes.empty());
}

TEST(SdCli, RefusesInOneLine) {
  const Words start{"-m", "s", "-p", "x"};
  const auto refusal = [&](const std::string& line) {
    Words words = start;
    for (const auto& word : split(line)) words.push_back(word);
    return error_of(words);
  };
  struct Case {
    const char* line;
    const char* expected;
  };
  for (const auto& [line, expected] :
       std::initializer_list<Case>{{"--steps abc", "--steps: expected a whole number"},
                                   {"--steps 0", "--steps"},
                                   {"--steps 20x", "\"20x\""},
                                   {"--cfg-scale foo", "--cfg-scale: expected a number"},
                                   {"-s 99999999999999999999", "--seed"},
                                   {"--strength 1.5", "--strength"},
                                   {"-W 512.5", "--width"},
                                   {"--stpes 20", "did you mean --steps?"},
                                   {"--steps=20", "two words"},
                                   {"stray", "unexpected word \"stray\""},
                                   {"--steps", "the end of the command line"},
                                   {"--steps --seed 5", "found the option --seed"},
                                   {"-M vidgen", "did you mean vid_gen?"},
                                   {"--sampling-method eulr", "did you mean euler?"},
                                   {"--sampling-method er_sde", "keyflow has no such one"},
                                   {"--scheduler krras", "did you mean karras?"},
                                   {"--scheduler gits", "keyflow has no such one"},
                                   {"--scheduler flux", "expected a FLUX model"},
                                   {"--rng std_default", "--rng cpu or cuda"},
                                   {"--rng cpu --sampler-rng cuda", "--sampler-rng"},
                                   {"--type q8_0", "keyflow convert"},
                                   {"--skip-layers 7,8", "in brackets"},
                                   {"--canny", "--canny"},
                                   {"--end-img b.png", "-M vid_gen"},
                                   {"--cache-mode easycache", "computes every step whole"},
                                   {"--high-noise-diffusion-model h", "Wan 2.2"},
                                   {"-o a.avi", ".mp4"},
                                   {"--output-begin-idx 5", "from 0"},
                                   {"--preview proj --preview-path a.avi", "ends in .png"},
                                   {"--hires --hires-upscaler \"Latent (nearest-exact)\"", "keyflow has no such one"},
                                   {"--vae-tiling --vae-tile-size 32x16", "square tiles"}}) {
    EXPECT_NE(refusal(line).find(expected), std::string::npos) << line << " gave: " << refusal(line);
  }
  EXPECT_NE(error_of({"-p", "x"}).find("expected --model or --diffusion-model"), std::string::npos);
}

// Every option of sd-cli @97d2990, as its own parser lists them.
TEST(SdCli, KnowsEveryOption) {
  const char* const names =
      "-M --mode -o --output --output-begin-idx --preview --preview-path --preview-interval --preview-noisy "
      "--taesd-preview-only --image --metadata-format --metadata-raw --metadata-brief --metadata-all "
      "--disable-image-metadata --imat-in --imat-out --convert-name --canny -v --verbose --color -h --help --version "
      "--list-devices -m --model --diffusion-model --high-noise-diffusion-model --uncond-diffusion-model --clip_l "
      "--clip_g --clip_vision --t5xxl --llm --llm_vision --qwen2vl --qwen2vl_vision --vae --vae-format --audio-vae "
      "--embeddings-connectors --taesd --tae --control-net --ip-adapter --motion-module --photo-maker --pulid-weights "
      "--embd-dir --lora-model-dir --hires-upscalers-dir --upscale-model --model-args --type --tensor-type-rules "
      "--prediction --lora-apply-mode --rng --sampler-rng --force-sdxl-vae-conv-scale -t --threads --backend "
      "--params-backend --split-mode --rpc-servers --max-vram --stream-layers --eager-load --auto-fit --offload-to-cpu "
      "--mmap --fa --diffusion-fa --diffusion-conv-direct --vae-conv-direct --clip-on-cpu --vae-on-cpu "
      "--control-net-cpu -p --prompt --prompt-file -n --negative-prompt --negative-prompt-file -i --init-img --end-img "
      "--mask --control-image --control-video --ip-adapter-image -r --ref-image --ref-image-args --increase-ref-index "
      "--disable-auto-resize-ref-image --ref-video --ref-video-audio --ref-audio --strength --control-strength "
      "--ip-adapter-strength --pm-id-images-dir --pm-id-embed-path --pm-style-strength --pulid-id-embedding "
      "--pulid-id-weight --clip-skip -W --width -H --height --steps --high-noise-steps --moe-boundary --cfg-scale "
      "--img-cfg-scale --guidance --flow-shift --timestep-shift --eta -b --batch-count --video-frames --fps "
      "--vace-strength --qwen-image-layers -s --seed --sampling-method --scheduler --sigmas --extra-sample-args "
      "--slg-scale --skip-layers --skip-layer-start --skip-layer-end --high-noise-cfg-scale --high-noise-img-cfg-scale "
      "--high-noise-guidance --high-noise-slg-scale --high-noise-skip-layers --high-noise-skip-layer-start "
      "--high-noise-skip-layer-end --high-noise-eta --high-noise-sampling-method --vae-tiling --vae-tile-size "
      "--vae-relative-tile-size --vae-tile-overlap --temporal-tiling --extra-tiling-args --circular --circularx "
      "--circulary --cache-mode --cache-option --scm-mask --scm-policy --hires --hires-upscaler --hires-scale "
      "--hires-width --hires-height --hires-steps --hires-denoising-strength --hires-sigmas --hires-upscale-tile-size "
      "--upscale-repeats --upscale-tile-size --ad-model --ad-prompt --ad-negative-prompt --extra-ad-args";
  std::vector<std::string> known;
  for (const auto& group : sd_cli_options()) {
    for (const auto& option : group.options) {
      for (const auto& name : names_of({option.names, "", ""})) known.push_back(name);
      EXPECT_EQ(option.fate == Fate::without_effect, option.about.empty()) << option.names;
    }
  }
  for (const auto& name : split(names)) EXPECT_EQ(std::count(known.begin(), known.end(), name), 1) << name;
  EXPECT_EQ(known.size(), split(names).size());
}

TEST(SdCli, TheProgramSaysOneLine) {
  using tests::expect_refused;
  using tests::keyflow;
  expect_refused(keyflow({"sd-cli", "-m", "nowhere.safetensors", "-p", "x", "--steps", "abc"}), 2,
                 {"--steps", "\"abc\""});
  expect_refused(keyflow({"sd-cli", "--stpes", "5"}), 2, {"--steps"});
  expect_refused(keyflow({"sd-cli", "-m", "nowhere.safetensors", "-p", "x"}), 1, {"nowhere.safetensors"});
  EXPECT_EQ(keyflow({"sd-cli", "--version"}).out, keyflow({"--version"}).out);
  EXPECT_EQ(keyflow({"sd-cli", "--list-devices"}).out.substr(0, 4), "cpu\t");
}

}  // namespace
}  // namespace keyflow::apps
